// Makes elements. Texts are only ever set as text, so nothing that a client wrote can become markup.

// `element("p", {class: "note", hidden: false}, "text", child, null)`; null, false and empty children are left out.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== false && child !== ""));
  return made;
}

export function button(label, attributes, onClick) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", onClick);
  return made;
}

export function json(value) {
  return element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
}

export function byId(id) {
  return document.getElementById(id);
}

// Runs `action` once per frame, however often it is asked for.
export function perFrame(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      action();
    });
  };
}

// Runs `action` soon after it is asked for, and never again within `ms` of the last time.
export function atMostEvery(ms, action) {
  let timer = null;
  let last = -Infinity;
  return () => {
    if (timer !== null) return;
    const wait = Math.max(100, last + ms - performance.now());
    timer = setTimeout(() => {
      timer = null;
      last = performance.now();
      action();
    }, wait);
  };
}
