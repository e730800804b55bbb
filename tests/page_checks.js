// What tests/test_browser.py asks of a page that stands in a browser. Each function returns a list
// of findings; an empty list is a pass.
window.pageChecks = (() => {
  const article = () => document.querySelector("article.bd-article") || document.body;
  const brief = (element) => {
    const id = element.id ? `#${element.id}` : "";
    const kind = element.getAttribute("class") ? `.${element.getAttribute("class").trim().split(/\s+/).join(".")}` : "";
    return `<${element.tagName.toLowerCase()}${id}${kind}> ${(element.textContent || "").trim().slice(0, 60)}`;
  };

  function* texts(root) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (walker.currentNode.data.trim()) yield walker.currentNode;
  }

  // Mathematics

  const RAW = /\$[^$\n]+\$|\\[([]|\\(?:frac|sum|begin|end|mathbf|mathrm|left|right|operatorname|label)\b/;

  const rawMath = () => {
    const found = [];
    for (const node of texts(article())) {
      if (node.parentElement.closest("pre, code, script, style, mjx-container, .highlight")) continue;
      if (RAW.test(node.data)) found.push(node.data.trim().slice(0, 80));
    }
    return found;
  };

  const unrenderedMath = () => [
    ...[...document.querySelectorAll(".math")].filter((e) => !e.querySelector("mjx-container > svg")),
    ...document.querySelectorAll("mjx-merror, [data-mjx-error]"),
  ].map(brief);

  // Figures

  const badFigures = () => [...document.images].filter((image) => {
    const box = image.getBoundingClientRect();
    const shown = image.offsetParent !== null;
    const drawn = image.complete && image.naturalWidth > 0 && (!shown || (box.width > 1 && box.height > 1));
    return !drawn || !image.alt.trim();
  }).map((image) => `${image.getAttribute("src")} (alt "${image.alt}")`);

  // Width

  const scrolls = (element) => {
    for (let e = element.parentElement; e && e !== document.body; e = e.parentElement) {
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(e).overflowX)) return true;
    }
    return false;
  };

  const sideways = () => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.body.querySelectorAll("*")].filter(
      (e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e),
    );
    const leaves = wide.filter((e) => !wide.some((other) => other !== e && e.contains(other)));
    return [`${document.documentElement.scrollWidth} > ${width}`, ...leaves.slice(0, 5).map(brief)];
  };

  // Contrast, as WCAG 2.2 defines it (success criterion 1.4.3)

  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  const ground = (element, memo) => {
    if (!element) return rgba("white");
    if (!memo.has(element)) {
      const own = rgba(getComputedStyle(element).backgroundColor);
      memo.set(element, own[3] === 1 ? own : over(own, ground(element.parentElement, memo)));
    }
    return memo.get(element);
  };
  const opacity = (element) => (element ? +getComputedStyle(element).opacity * opacity(element.parentElement) : 1);

  const lowContrast = () => {
    const memo = new Map();
    const worst = new Map();
    const parents = new Set([...texts(document.body)].map((node) => node.parentElement));
    for (const container of document.querySelectorAll("mjx-container")) parents.add(container);
    for (const element of parents) {
      if (element.closest("script, style, noscript, mjx-assistive-mml, dialog:not([open])")) continue;
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      const style = getComputedStyle(element);
      const size = parseFloat(style.fontSize);
      const needed = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
      const back = ground(element, memo);
      const [r, g, b, a] = rgba(style.color);
      const found = ratio(over([r, g, b, a * opacity(element)], back), back);
      if (found >= needed) continue;
      const colours = `${style.color} on rgb(${back.slice(0, 3).map(Math.round).join(", ")})`;
      if (!worst.has(colours)) worst.set(colours, `${found.toFixed(2)}: ${colours}: ${brief(element)}`);
    }
    return [...worst.values()];
  };

  // Text of a drawing has no ground of its own: it stands on the shape that was drawn last where it is.
  const drawnContrast = (selector) => {
    const memo = new Map();
    return [...document.querySelectorAll(`:is(${selector}) text`)].filter((t) => t.checkVisibility()).map((text) => {
      const box = text.getBoundingClientRect();
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      let back = ground(text.closest("svg").parentElement, memo);
      for (const shape of text.closest("svg").querySelectorAll("rect, circle")) {
        const b = shape.getBoundingClientRect();
        if (x < b.left || x > b.right || y < b.top || y > b.bottom) continue;
        const style = getComputedStyle(shape);
        const [r, g, blue, a] = rgba(style.fill);
        back = over([r, g, blue, a * +style.fillOpacity], back);
      }
      const [r, g, b, a] = rgba(getComputedStyle(text).fill);
      return { text: text.textContent, ratio: ratio(over([r, g, b, a], back), back) };
    });
  };

  // Links

  const links = () => [...document.querySelectorAll("a[href]")].map(
    (a) => new URL(a.getAttribute("href"), document.baseURI).href, // in a drawing, a.href is no text
  );
  const anchors = () => [...document.querySelectorAll("[id], a[name]")].flatMap((e) => [e.id, e.getAttribute("name")]).filter(Boolean);

  // Accessibility rules of axe-core. Contrast is ours above: theirs takes minutes on a chapter.
  // tests/test_page_checks.py compares the two.

  const axeFindings = async () => {
    const rules = { "color-contrast": { enabled: false } };
    const options = { rules, preload: false, resultTypes: ["violations"] };
    const { violations } = await axe.run({ exclude: ["mjx-container"] }, options);
    return violations.filter((v) => ["serious", "critical"].includes(v.impact)).map(
      (v) => `${v.id} (${v.impact}, ${v.nodes.length} times): ${v.nodes[0].html.slice(0, 200)}`,
    );
  };

  return { rawMath, unrenderedMath, badFigures, sideways, lowContrast, drawnContrast, links, anchors, axeFindings };
})();
