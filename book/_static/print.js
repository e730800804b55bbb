// Called before the book is printed. What is wider than the paper becomes smaller until it fits; the
// headings are returned, for the outline of the PDF.
function readyForPaper() {
  const wide = "table, mjx-container[display='true'], svg, .sd-container-fluid";
  for (const element of document.querySelectorAll(`article :is(${wide})`)) {
    if (element.parentElement.closest(wide)) continue;
    const frame = element.parentElement.closest(":not(span, a, em, strong)");
    const style = getComputedStyle(frame);
    const room = frame.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const needed = Math.max(element.scrollWidth, element.getBoundingClientRect().width);
    if (needed > room + 1) element.style.zoom = room / needed;
  }
  const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")];
  const shown = headings.filter((heading) => heading.checkVisibility());
  return shown.map((heading) => heading.textContent.replace(/\s+/g, " ").trim());
}
