// Puts the chosen theme on the page before it is drawn, so that a dark page never flashes white. No module: those wait.
{
  const chosen = localStorage.getItem("despacho.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
