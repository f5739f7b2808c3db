// The documentation page: filters operations by words, and copies commands. Without it the page can be read as well.

const filter = document.querySelector("#filter");
const contents = document.querySelector("#contents");
const wide = matchMedia("(min-width: 56.01rem)");

function words() {
  return filter.value.toLowerCase().split(/\s+/).filter(Boolean);
}

function showMatches() {
  const wanted = words();
  const shown = new Set();
  for (const article of document.querySelectorAll("article[data-entry]")) {
    const text = article.textContent.toLowerCase();
    if (wanted.every((word) => text.includes(word))) shown.add(article.dataset.entry);
  }
  for (const part of document.querySelectorAll("[data-entry]")) part.hidden = !shown.has(part.dataset.entry);
  for (const group of document.querySelectorAll("[data-group]")) {
    group.hidden = !group.querySelector("[data-entry]:not([hidden])");
  }
  document.querySelector("#schemas").hidden = wanted.length > 0;
  document.querySelector("#nothing").hidden = shown.size > 0;
  document.querySelector("#found").textContent = wanted.length ? `${shown.size} operations` : "";
}

async function copy(button) {
  await navigator.clipboard.writeText(button.previousElementSibling.textContent);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 2_000);
}

filter.addEventListener("input", showMatches);
filter.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  filter.value = "";
  showMatches();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target === filter) return;
  event.preventDefault();
  filter.focus();
});

// A place that the filter hides can't be gone to.
addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target?.closest("[hidden]")) return;
  filter.value = "";
  showMatches();
  target.scrollIntoView();
});

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

const openWhereWide = () => (contents.open = wide.matches);
wide.addEventListener("change", openWhereWide);
openWhereWide();
