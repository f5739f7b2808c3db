// Pages with real addresses: a link, a reload and the back button all lead to the same page.
//
// A page is a module with `show(page)`. `page` has `root` to fill, `params` and `query` of the address, `setQuery` to
// change the query in place, and `signal`, which is aborted when the page is left: whatever a page starts ends with it.

const ROUTES = [];
let root;
let onShow = () => {};
let current = null;

// `pattern` may have `{id}`.
export function route(name, pattern, show) {
  const matcher = new RegExp(`^${pattern.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);
  ROUTES.push({ name, matcher, show });
}

// `told({name})` is called after each change of the page.
export function startRouter(element, told) {
  root = element;
  onShow = told;
  addEventListener("popstate", () => address() !== current.address && open(false));
  document.addEventListener("click", follow);
  open(true);
}

export function navigate(path) {
  history.pushState(null, "", path);
  open(false);
  scrollTo(0, 0);
}

// Draw the page anew, as after a change of language.
export function reopen() {
  open(true);
}

function open(first) {
  const found = match(location.pathname) ?? { name: "lost", params: {}, show: null };
  current?.abort.abort();
  current = { abort: new AbortController(), address: address() };
  root.replaceChildren();
  onShow({ ...found, first });
  found.show?.({
    root,
    params: found.params,
    query: new URLSearchParams(location.search),
    setQuery,
    signal: current.abort.signal,
  });
  if (!first) root.querySelector("h1")?.focus({ preventScroll: true });
}

// A jump inside of a page, as from the skip link, leads to no other page.
function address() {
  return location.pathname + location.search;
}

function match(path) {
  for (const { name, matcher, show } of ROUTES) {
    const found = matcher.exec(path);
    if (found) return { name, show, params: decoded(found.groups ?? {}) };
  }
  return null;
}

function decoded(groups) {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
}

function setQuery(query) {
  const words = query.toString();
  history.pushState(null, "", location.pathname + (words && `?${words}`));
  current.address = address();
}

function follow(event) {
  const link = event.target.closest("a[href]");
  const elsewhere = event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (!link || elsewhere || link.target || link.hasAttribute("download")) return;
  if (link.origin !== location.origin || !match(link.pathname) || link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
}
