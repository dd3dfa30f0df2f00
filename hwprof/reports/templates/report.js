"use strict";
(() => {
  const all = (where, what) => [...where.querySelectorAll(what)];
  const json = (where) => { const s = where.querySelector('script[type="application/json"]'); return s && JSON.parse(s.textContent); };

  // ---- files: made here from what the page holds, nothing is fetched
  function save(name, blob) {
    const a = document.createElement("a");
    a.href = URL.createObjectURL(blob);
    a.download = name;
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 10000);
  }
  const field = (v) => v === null || v === undefined ? "" : /[",\n\r]/.test(v) ? '"' + String(v).replaceAll('"', '""') + '"' : String(v);
  const csv = (data) => new Blob([[data.header, ...data.rows].map((r) => r.map(field).join(",")).join("\r\n") + "\r\n"], {type: "text/csv"});
  const KEPT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linejoin", "paint-order", "font-family", "font-size", "font-weight"];
  function standalone(svg) { // the style sheet's colours, as they are now, written into a copy
    const copy = svg.cloneNode(true);
    const from = all(svg, "*"), to = all(copy, "*");
    from.forEach((element, i) => {
      const style = getComputedStyle(element);
      for (const name of KEPT) if (element.tagName !== "title") to[i].style.setProperty(name, style.getPropertyValue(name));
    });
    all(copy, ".hatch").forEach((e) => { e.style.fill = "url(#lines)"; });
    const defs = document.querySelector("#lines").parentNode.cloneNode(true);
    const paper = document.createElementNS(svg.namespaceURI, "rect");
    for (const [k, v] of Object.entries({width: "100%", height: "100%", style: "fill:" + getComputedStyle(document.body).backgroundColor})) paper.setAttribute(k, v);
    copy.prepend(defs, paper);
    copy.setAttribute("xmlns", svg.namespaceURI);
    return new XMLSerializer().serializeToString(copy);
  }
  function png(svg, name) {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = 2 * svg.width.baseVal.value;
      canvas.height = 2 * svg.height.baseVal.value;
      const pen = canvas.getContext("2d");
      pen.scale(2, 2);
      pen.drawImage(image, 0, 0);
      canvas.toBlob((blob) => save(name, blob));
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(standalone(svg));
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-get]");
    const figure = button && button.closest("figure");
    if (!figure) return;
    const svg = figure.querySelector("svg"), name = (figure.id || "scatter") + "." + button.dataset.get;
    if (button.dataset.get === "svg") save(name, new Blob([standalone(svg)], {type: "image/svg+xml"}));
    else if (button.dataset.get === "png") png(svg, name);
    else save(name, csv(figure.data || json(figure)));
  });

  // ---- values of points: on hover and on focus; arrow keys go from one to the next
  const tip = document.querySelector("#tip");
  function tell(point) {
    tip.hidden = !point;
    if (!point) return;
    tip.textContent = point.querySelector("title").textContent;
    const box = point.getBoundingClientRect(), own = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(box.right + 8, innerWidth - own.width - 8)) + "px";
    tip.style.top = Math.max(4, box.top - own.height - 6) + "px";
  }
  for (const kind of ["mouseover", "focusin"]) document.addEventListener(kind, (e) => tell(e.target.closest && e.target.closest(".pt")));
  document.addEventListener("focusout", () => tell(null));
  function reach(svg) { const first = svg.querySelector(".pt"); if (first) first.setAttribute("tabindex", "0"); }
  all(document, "figure svg").forEach(reach);
  document.addEventListener("keydown", (event) => {
    const point = event.target.closest && event.target.closest(".pt");
    if (event.key === "Escape") tell(null);
    if (!point) return;
    if ((event.key === "Enter" || event.key === " ") && point.dataset.scatter) { event.preventDefault(); show(point); return; }
    const way = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1]}[event.key];
    if (!way) return;
    event.preventDefault();
    const centre = (p) => { const b = p.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; };
    const [x, y] = centre(point);
    let best = null, least = Infinity;
    for (const other of all(point.ownerSVGElement, ".pt")) {
      const [a, b] = centre(other), along = (a - x) * way[0] + (b - y) * way[1], aside = Math.abs((a - x) * way[1]) + Math.abs((b - y) * way[0]);
      if (other !== point && along > 0.5 && along + 2 * aside < least) { least = along + 2 * aside; best = other; }
    }
    if (best) { point.setAttribute("tabindex", "-1"); best.setAttribute("tabindex", "0"); best.focus(); }
  });

  // ---- the scatter behind a cell of the map
  let scatters = null; // read when the first is asked for
  function scatter(key) {
    scatters = scatters || JSON.parse(document.querySelector("#scatters").textContent);
    const s = scatters.of[key], shared = scatters.shared;
    return {...s, names: shared[s.names], y: shared[s.y], raw_y: shared[s.raw_y]};
  }
  const NS = "http://www.w3.org/2000/svg";
  function put(parent, tag, attributes, text) {
    const element = document.createElementNS(NS, tag);
    for (const [k, v] of Object.entries(attributes)) element.setAttribute(k, v);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }
  function scale(values, start, stop) {
    let low = Math.min(...values), high = Math.max(...values);
    const room = 0.08 * (high - low) || 0.5;
    low -= room; high += room;
    const at = (v) => start + (v - low) / (high - low) * (stop - start);
    let step = 10 ** Math.floor(Math.log10((high - low) / 5));
    step *= [1, 2, 5, 10].find((m) => (high - low) / (m * step) <= 5) || 10;
    const ticks = [];
    for (let n = Math.ceil(low / step); n * step <= high; n++) ticks.push(n * step);
    return {at, ticks};
  }
  function draw(data, raw) {
    const xs = raw ? data.raw_x : data.x, ys = raw ? data.raw_y : data.y, given = raw ? "" : ", controlling for size";
    const svg = document.createElementNS(NS, "svg");
    for (const [k, v] of Object.entries({viewBox: "0 0 560 380", width: 560, height: 380, role: "group", "aria-label": data.said})) svg.setAttribute(k, v);
    const x = scale(xs, 60, 548), y = scale(ys, 330, 30), digits = (v) => String(+v.toPrecision(3));
    for (const t of x.ticks) { put(svg, "line", {x1: x.at(t), x2: x.at(t), y1: 30, y2: 330, class: "grid"}); put(svg, "text", {x: x.at(t), y: 346, class: "m", "text-anchor": "middle"}, digits(t)); }
    for (const t of y.ticks) { put(svg, "line", {x1: 60, x2: 548, y1: y.at(t), y2: y.at(t), class: "grid"}); put(svg, "text", {x: 54, y: y.at(t) + 4, class: "m", "text-anchor": "end"}, digits(t)); }
    put(svg, "text", {x: 60, y: 18, class: "m"}, "log " + data.target + given);
    put(svg, "text", {x: 304, y: 368, class: "m", "text-anchor": "middle"}, "log " + data.metric + " per frame" + given);
    if (!raw && data.slope !== null) {
      const a = Math.min(...xs), b = Math.max(...xs);
      put(svg, "line", {x1: x.at(a), y1: y.at(data.slope * a), x2: x.at(b), y2: y.at(data.slope * b), class: "bar s1"});
    }
    const taken = xs.map((v, i) => [x.at(v) - 5, y.at(ys[i]) - 5, x.at(v) + 5, y.at(ys[i]) + 5]);
    // as `place` of the figures: in a crowd the outer names first, and none that covers something
    const crowded = data.names.length > 20, mean = (vs) => vs.reduce((p, q) => p + q) / vs.length;
    const order = data.names.map((_, i) => i), mx = x.at(mean(xs)), my = y.at(mean(ys));
    const far = (i) => Math.hypot(x.at(xs[i]) - mx, y.at(ys[i]) - my);
    if (crowded) order.sort((i, j) => far(j) - far(i));
    order.forEach((i) => {
      const name = data.names[i].replace(/^block:/, ""), cx = x.at(xs[i]), cy = y.at(ys[i]), wide = 5.8 * name.length;
      const spots = [[cx + 8, cy + 4], [cx - wide - 8, cy + 4], [cx - wide / 2, cy - 9], [cx - wide / 2, cy + 18]];
      if (!crowded) spots.push([cx + 8, cy - 12], [cx + 8, cy + 20]);
      const cost = (s) => { const b = [s[0], s[1] - 10, s[0] + wide, s[1] + 2]; return taken.filter((t) => b[0] < t[2] && t[0] < b[2] && b[1] < t[3] && t[1] < b[3]).length + (b[2] > 556 || b[0] < 56 ? 10 : 0); };
      const spot = spots.reduce((p, q) => cost(q) < cost(p) ? q : p);
      if (crowded && cost(spot)) return;
      taken.push([spot[0], spot[1] - 10, spot[0] + wide, spot[1] + 2]);
      put(svg, "text", {x: spot[0], y: spot[1], class: "m"}, name);
    });
    data.names.forEach((name, i) => {
      const g = put(svg, "g", {class: "pt", role: "img", tabindex: "-1"});
      put(g, "title", {}, name + ": log metric " + digits(xs[i]) + ", log " + data.target + " " + digits(ys[i]) + given);
      put(g, "circle", {cx: x.at(xs[i]), cy: y.at(ys[i]), r: 4.5, class: "solid s0"});
    });
    reach(svg);
    return svg;
  }
  function show(cell) {
    const data = scatter(cell.dataset.scatter);
    const panel = cell.closest("section").querySelector("figure.scatter");
    const fill = () => panel.querySelector(".scroll").replaceChildren(draw(data, panel.querySelector("input").checked));
    panel.querySelector("input").onchange = fill;
    panel.querySelector("[data-back]").onclick = () => cell.focus();
    panel.data = {header: ["network", "log metric controlling for size", "log " + data.target + " controlling for size", "log metric", "log " + data.target], rows: data.names.map((n, i) => [n, data.x[i], data.y[i], data.raw_x[i], data.raw_y[i]])};
    panel.querySelector("figcaption").textContent = data.metric + " in " + data.framework;
    panel.querySelector(".note").textContent = data.said;
    panel.hidden = false;
    fill();
    tell(null);
    panel.focus();
    panel.scrollIntoView({block: "nearest"});
  }
  document.addEventListener("click", (event) => { const cell = event.target.closest("[data-scatter]"); if (cell) show(cell); });

  // ---- navigation: the section that is read now
  const links = all(document, "nav.sticky a"), list = document.querySelector("nav.sticky ol");
  const marks = links.map((a) => document.getElementById(a.hash.slice(1)));
  let current = -1, waiting = false;
  function mark() {
    waiting = false;
    const line = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--bar")) + 60;
    const atEnd = scrollY > 0 && innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    let now = 0;
    marks.forEach((m, i) => { if (m.getBoundingClientRect().top <= line) now = i; });
    if (atEnd) now = marks.length - 1;
    if (now === current) return;
    if (current >= 0) links[current].removeAttribute("aria-current");
    links[now].setAttribute("aria-current", "true");
    current = now;
    const link = links[now]; // into view within the bar, without moving the page
    list.scrollLeft = link.offsetLeft - list.offsetLeft - (list.clientWidth - link.clientWidth) / 2;
  }
  const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(mark); } };
  addEventListener("scroll", soon, {passive: true});
  addEventListener("resize", soon);
  soon();

  // ---- tables: columns of second rank are hidden where a table is wider than its box
  function fit(blocks) {
    const open = (block) => block.classList.contains("every");
    const parts = blocks.map((block) => ({block, box: block.querySelector(".scroll"), table: block.querySelector("table"), off: []})).filter((p) => p.table);
    for (const p of parts) {
      p.table.className = p.table.className.replace(/ ?\bno-\d+/g, "");
      p.block.classList.remove("tight", "tightest");
      p.box.classList.remove("fits");
    }
    const wide = (p) => p.table.offsetWidth - p.block.clientWidth + 2; // with the borders of the box
    for (let round = 0, over = parts.filter((p) => !open(p.block)); round < 4 && over.length; round++) {
      const found = over.map((p) => ({p, excess: wide(p), sizes: all(p.table, "th").map((th) => th.offsetWidth)})); // all are read, then all are written
      over = [];
      for (const {p, excess, sizes} of found) {
        let rest = excess;
        if (rest <= 0) continue;
        const ranked = all(p.table, "th").map((th, i) => [+th.dataset.rank, i]).filter(([rank, i]) => rank > 0 && !p.off.includes(i)).sort((a, b) => b[0] - a[0]);
        for (const [, i] of ranked) { if (rest <= 0) break; p.off.push(i); p.table.classList.add("no-" + (i + 1)); rest -= sizes[i]; }
        if (ranked.length) over.push(p);
      }
    }
    // what still finds room comes back, the last hidden first
    for (let round = 0, tried = parts.filter((p) => p.off.length); round < 8 && tried.length; round++) {
      for (const p of tried) p.table.classList.remove("no-" + (p.off.at(-1) + 1));
      const fits = tried.map((p) => wide(p) <= 0);
      tried.forEach((p, i) => { if (fits[i]) p.off.pop(); else p.table.classList.add("no-" + (p.off.at(-1) + 1)); });
      tried = tried.filter((p, i) => fits[i] && p.off.length);
    }
    for (const kind of ["tight", "tightest"]) {
      const over = parts.map((p) => !open(p.block) && wide(p) > 0);
      parts.forEach((p, i) => { if (over[i]) p.block.classList.add(kind); });
    }
    const excess = parts.map(wide);
    parts.forEach((p, i) => {
      const more = p.block.querySelector(".more");
      if (!open(p.block) || excess[i] <= 0) p.box.classList.add("fits");
      more.hidden = !open(p.block) && !p.off.length;
      more.setAttribute("aria-expanded", String(open(p.block)));
      more.textContent = open(p.block) ? "Fewer columns" : `More columns (${p.off.length})`;
    });
  }
  const everyTable = all(document, "div.table");
  let width = 0, asked = false;
  function refit() { // before the frame with the new width is painted, once a frame
    asked = false;
    if (document.documentElement.clientWidth === width) return;
    width = document.documentElement.clientWidth;
    fit(everyTable);
  }
  addEventListener("resize", () => { if (!asked) { asked = true; requestAnimationFrame(refit); } });
  refit();
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".more, .fold"), block = button && button.closest("div.table");
    if (!block) return;
    if (button.classList.contains("more")) block.classList.toggle("every");
    else {
      const shown = block.classList.toggle("folded");
      button.setAttribute("aria-expanded", String(!shown));
      button.textContent = shown ? button.dataset.label : "Show fewer rows";
    }
    fit([block]);
  });
  for (const button of all(document, ".fold")) button.dataset.label = button.textContent;

  // ---- tables: sort, filter, a page at a time. The first rows stand in the page; nothing more is read before it is asked for
  const PAGE = 100, MARK = /\b(EMULATED|SIMULATED|SUSPECT|UNFAITHFUL|SCALED|MISSING|not comparable)\b/, ALSO = /^(.*?)( \(also .*\))$/s;
  const letters = new Intl.Collator("en", {numeric: true});
  const value = (text) => { // "×1.32 [...]", "−2.1 %", "1,234": by their first number; words by their letters
    const found = /^[^0-9A-Za-z]*?([-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)/.exec(text);
    return found ? parseFloat(found[1].replaceAll(",", "").replace("−", "-")) : null;
  };
  function sorted(cells, way) { // the places of the cells in their order
    const numbers = cells.map(value);
    return cells.map((_, k) => k).sort((i, j) => {
      const a = cells[i], b = cells[j], x = numbers[i], y = numbers[j];
      if (a === b) return i - j;
      if (a === "-" || b === "-") return a === "-" ? 1 : -1; // nothing is last, whichever way
      return way * (x !== null && y !== null && x !== y ? Math.sign(x - y) : letters.compare(a, b)) || i - j;
    });
  }
  const started = new WeakMap();
  function tableOf(block) {
    if (!started.has(block)) started.set(block, start(block));
    return started.get(block);
  }
  function start(block) {
    const body = block.querySelector("tbody"), stored = json(block), heads = all(block, "th"), header = heads.map((h) => h.textContent);
    const rows = stored ? stored.rows : all(body, "tr").map((tr) => all(tr, "td").map((td) => td.textContent));
    const count = block.querySelector(".count"), pager = block.querySelector(".pager"), buttons = all(pager, "button"), search = block.querySelector("input");
    let whole = null, order = rows.map((_, i) => i), shown = order, page = 0, column = -1, way = 1;
    const line = (i) => {
      const tr = document.createElement("tr");
      for (const cell of rows[i]) {
        const td = document.createElement("td");
        const also = ALSO.exec(cell);
        td.textContent = also ? also[1] : cell;
        if (also) { const small = document.createElement("small"); small.textContent = also[2]; td.append(small); }
        if (MARK.test(cell)) td.classList.add("mark");
        if (cell.length > 70) td.classList.add("long");
        tr.append(td);
      }
      return tr;
    };
    function fill() {
      const last = Math.max(0, Math.ceil(shown.length / PAGE) - 1);
      page = Math.min(Math.max(page, 0), last);
      body.replaceChildren(...shown.slice(page * PAGE, (page + 1) * PAGE).map(line));
      pager.hidden = last === 0;
      buttons[0].disabled = page === 0;
      buttons[1].disabled = page === last;
      const some = last ? `rows ${page * PAGE + 1} to ${Math.min(shown.length, (page + 1) * PAGE)} of ` : "";
      count.textContent = some + (shown.length === rows.length ? `${rows.length} ${rows.length === 1 ? "row" : "rows"}` : `${shown.length} of ${rows.length} rows`);
      fit([block]);
    }
    function narrow() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      if (words.length) whole = whole || rows.map((cells) => cells.join("\u0001").toLowerCase());
      shown = words.length ? order.filter((i) => words.every((w) => whole[i].includes(w))) : order;
      page = 0;
      fill();
    }
    function sort(head) {
      const i = heads.indexOf(head);
      way = column === i ? -way : 1;
      column = i;
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      order = sorted(rows.map((cells) => cells[i]), way);
      narrow();
    }
    const turn = (step) => { page += step; fill(); };
    const take = () => save(block.id + ".csv", csv({header, rows: shown.map((i) => rows[i])}));
    return {narrow, sort, turn, take};
  }
  document.addEventListener("input", (event) => {
    const block = event.target.closest("div.table");
    if (block) tableOf(block).narrow();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("div.table button"), block = button && button.closest("div.table");
    if (!block) return;
    if (button.closest("th")) tableOf(block).sort(button.closest("th"));
    else if (button.dataset.step) tableOf(block).turn(Number(button.dataset.step));
    else if (button.dataset.get === "csv") tableOf(block).take();
  });
})();
