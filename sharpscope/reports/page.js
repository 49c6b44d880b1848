"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  const state = { variant: 0, query: "", find: "", offGroups: new Set(), offSets: new Set(), sort: {} };

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const number = (value, digits = 3) =>
    value === null || value === undefined ? "–" : typeof value === "number" ? Number(value.toPrecision(digits)).toString() : value;
  const percent = (value) => (value === null ? "–" : (100 * value).toFixed(2));
  const range = (low, high, print) => (low === null || high === null ? "no interval" : `${print(low)} to ${print(high)}`);
  const dark = () => document.documentElement.dataset.theme === "dark";
  const colour = (group) => (dark() ? group.dark : group.colour);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const shown = () => {
    const query = state.query.toLowerCase();
    return data.rows.filter(
      (row) =>
        row.variant === state.variant &&
        !state.offGroups.has(row.group) &&
        !state.offSets.has(row.panel) &&
        row.checkpoint.toLowerCase().includes(query),
    );
  };
  const setsShown = () => data.sets.filter((name) => !state.offSets.has(name));

  const layout = (more) => {
    const axis = { gridcolor: css("--line"), zerolinecolor: css("--line"), linecolor: css("--soft"), automargin: true };
    const base = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: css("--text"), family: "system-ui, sans-serif", size: 12 },
      margin: { l: 48, r: 12, t: 8, b: 40 },
      showlegend: false,
      hovermode: "closest",
    };
    const { xaxis, yaxis, ...rest } = more;
    return { ...base, xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest };
  };
  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  // Long intervals run out of the panel rather than crowd the points.
  const room = (values, lows, highs) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (!(high > low)) return undefined;
    const pad = 0.06 * (high - low);
    const real = (list) => list.filter((v) => v !== null);
    return [
      Math.max(Math.min(low, ...real(lows)) - pad, low - 0.5 * (high - low)),
      Math.min(Math.max(high, ...real(highs)) + pad, high + 0.5 * (high - low)),
    ];
  };
  const roomFor = (rows) => room(rows.map((r) => r.value), rows.map((r) => r.value_low), rows.map((r) => r.value_high));
  const draw = (div, traces, more, words) => {
    div.setAttribute("role", "img");
    div.setAttribute("aria-label", words);
    return Plotly.react(div, traces, layout(more), config);
  };

  const hover = (row, variant) =>
    [
      `<b>${escape(row.checkpoint)}</b>`,
      `recipe ${escape(row.recipe || "–")}, ${escape(row.arch || "–")}, seed ${number(row.seed)}`,
      `${escape(row.panel)}: EER ${percent(row.eer)} % (${range(row.eer_low, row.eer_high, percent)})`,
      `${escape(variant.measure)} ${number(row.value, 4)} (${range(row.value_low, row.value_high, (v) => number(v, 4))})`,
    ].join("<br>");
  const escape = (text) => String(text).replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
  const bars = (rows, value, low, high, scale = 1) => ({
    type: "data",
    symmetric: false,
    array: rows.map((row) => (row[high] === null ? 0 : scale * (row[high] - row[value]))),
    arrayminus: rows.map((row) => (row[low] === null ? 0 : scale * (row[value] - row[low]))),
    thickness: 1,
    width: 0,
  });

  const drawScatter = (rows, variant) => {
    const grid = find("scatter");
    const wanted = setsShown().filter((name) => variant.words[name]);
    for (const card of [...grid.children]) if (!wanted.includes(card.dataset.set)) { Plotly.purge(card.lastChild); card.remove(); }
    for (const name of wanted) {
      let card = [...grid.children].find((child) => child.dataset.set === name);
      if (!card) {
        card = make("div", { className: "card" }, make("h3", { textContent: name }), make("p", { className: "stat" }), make("div", { className: "plot" }));
        card.dataset.set = name;
      }
      grid.append(card);
      const words = variant.words[name].join("; ");
      card.children[1].textContent = words;
      const part = rows.filter((row) => row.panel === name && row.value !== null && row.eer !== null);
      const traces = data.groups.map((group, index) => {
        const some = part.filter((row) => row.group === index);
        return {
          x: some.map((row) => row.value),
          y: some.map((row) => 100 * row.eer),
          error_x: { ...bars(some, "value", "value_low", "value_high"), color: colour(group) + "88" },
          error_y: { ...bars(some, "eer", "eer_low", "eer_high", 100), color: colour(group) + "88" },
          text: some.map((row) => hover(row, variant)),
          hovertemplate: "%{text}<extra></extra>",
          name: group.label,
          mode: "markers",
          marker: { color: colour(group), symbol: group.symbol, size: 9 },
        };
      });
      const line = variant.lines[name];
      if (line) traces.push({ x: line[0], y: line[1], mode: "lines", line: { color: css("--soft"), dash: "dash", width: 1.2 }, hoverinfo: "skip" });
      draw(card.lastChild, traces, { xaxis: { title: { text: variant.label }, range: roomFor(part) }, yaxis: { title: { text: "EER (%)" } } },
        `EER against ${variant.label} on ${name}: ${part.length} checkpoints shown. ${words}. The numbers are in the table of measurements.`);
    }
  };

  // Checkpoints of a kind stand beside each other, or the first would hide the others.
  const spread = (row, some) => {
    const all = [...new Set(some.map((r) => r.sha256))];
    return all.length < 2 ? 0 : (all.indexOf(row.sha256) / (all.length - 1) - 0.5) * Math.min(0.42 / data.groups.length, 0.2);
  };
  const drawShift = (rows, variant) => {
    const names = setsShown();
    const traces = data.groups.map((group, index) => {
      const some = rows.filter((row) => row.group === index && row.value !== null);
      const place = (index - (data.groups.length - 1) / 2) * Math.min(0.7 / data.groups.length, 0.2);
      return {
        x: some.map((row) => names.indexOf(row.panel) + place + spread(row, some)),
        y: some.map((row) => row.value),
        error_y: { ...bars(some, "value", "value_low", "value_high"), color: colour(group) + "88" },
        text: some.map((row) => hover(row, variant)),
        hovertemplate: "%{text}<extra></extra>",
        mode: "markers",
        marker: { color: colour(group), symbol: group.symbol, size: 7 },
      };
    });
    draw(find("shift"), traces,
      { xaxis: { tickvals: names.map((_, i) => i), ticktext: names, range: [-0.6, names.length - 0.4] }, yaxis: { title: { text: variant.label }, range: roomFor(rows.filter((row) => row.value !== null)) } },
      `${variant.label} on ${names.join(", ")}, in this order; the numbers are in the table of measurements.`);
  };

  const drawForest = (variant) => {
    const entries = setsShown().map((name) => [name, variant.statistics[name]]).filter(([, s]) => s && s.spearman !== null);
    if (variant.joint && variant.joint.spearman !== null) entries.push(["all sets", variant.joint]);
    const text = entries.map(([name, s]) =>
      `<b>${escape(name)}</b><br>Spearman ${number(s.spearman)} (${range(s.spearman_low, s.spearman_high, number)})<br>Kendall ${number(s.kendall)}, p ${number(s.p)}, Holm p ${number(s.p_holm)}, n ${number(s.n)}`);
    const trace = {
      x: entries.map(([, s]) => s.spearman),
      y: entries.map(([name, s]) => `${name} (${s.n})`),
      error_x: { ...bars(entries.map(([, s]) => s), "spearman", "spearman_low", "spearman_high"), color: css("--accent"), thickness: 2 },
      text,
      hovertemplate: "%{text}<extra></extra>",
      mode: "markers",
      marker: { color: css("--accent"), size: entries.map(([name]) => (name === "all sets" ? 16 : 9)), symbol: entries.map(([name]) => (name === "all sets" ? "diamond-wide" : "square")) },
    };
    draw(find("forest"), [trace], { xaxis: { range: [-1.05, 1.05], title: { text: "Spearman with EER (n in brackets)" } }, yaxis: { autorange: "reversed", type: "category" } },
      text.length ? `Correlations: ${text.join("; ").replace(/<[^>]*>/g, " ")}` : "No correlation could be computed.");
  };

  const drawHeatmap = () => {
    const names = setsShown();
    const ways = [...new Set(data.correlations.map((row) => row.way))];
    const at = (name, way) => data.correlations.find((row) => row.panel === name && row.way === way);
    const cell = (name, way, pick) => { const row = at(name, way); return row ? pick(row) : null; };
    const star = (p) => (p === null ? "" : p <= 0.001 ? "***" : p <= 0.01 ? "**" : p <= 0.05 ? "*" : "");
    const trace = {
      type: "heatmap", x: ways, y: names, zmin: -1, zmax: 1, colorscale: "RdBu", reversescale: false,
      z: names.map((name) => ways.map((way) => cell(name, way, (row) => row.spearman))),
      text: names.map((name) => ways.map((way) => cell(name, way, (row) => (row.spearman === null ? "–" : row.spearman.toFixed(2) + star(row.p_holm))) ?? "")),
      customdata: names.map((name) => ways.map((way) => cell(name, way, (row) => `n ${row.n}, Holm p ${number(row.p_holm)} ${row.note || ""}`) ?? "")),
      texttemplate: "%{text}",
      hovertemplate: "%{y}, %{x}: %{text}<br>%{customdata}<extra></extra>",
      colorbar: { title: { text: "Spearman" }, thickness: 12 },
    };
    draw(find("heatmap"), [trace], { yaxis: { autorange: "reversed" }, margin: { l: 80, r: 12, t: 8, b: 70 } },
      "Spearman correlation of every measure with EER on every set; the numbers are in the table of correlations.");
  };

  const webgl = (() => { try { return !!document.createElement("canvas").getContext("webgl"); } catch { return false; } })();
  // Surfaces are slow to draw: not before the reader comes near them.
  let near = false;
  if (data.surfaces.length) {
    find("surface-part").hidden = false;
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near = true;
      observer.disconnect();
      drawSurfaces();
    }, { rootMargin: "200px" }).observe(find("surface-part"));
  }
  const drawSurfaces = () => {
    if (!near) return;
    const all = data.surfaces.flatMap((s) => s.loss.flat()).filter((v) => v !== null);
    const positive = all.every((v) => v > 0);
    const height = (v) => (v === null ? null : positive ? Math.log10(v) : v);
    const [low, high] = [Math.min(...all.map(height)), Math.max(...all.map(height))];
    const title = positive ? "log10 loss (nats)" : "loss (nats)";
    const axisWords = { random: "random, filter norms", sam: "ascent, radius ρ" };
    data.surfaces.forEach((s, index) => {
      const grid = find("surfaces");
      const ends = `x: ${axisWords[s.axes[0]]}; y: ${axisWords[s.axes[1]]}; ${webgl ? "height" : "colour"}: ${title}`;
      const card = grid.children[index] ?? make("div", { className: "card" }, make("h3", { textContent: s.title }), make("p", { className: "stat", textContent: ends }), make("div", { className: "plot tall" }));
      if (!card.isConnected) grid.append(card);
      const trace = { type: webgl ? "surface" : "contour", x: s.x, y: s.y, z: s.loss.map((row) => row.map(height)), colorscale: "Viridis", showscale: false,
        customdata: s.loss, hovertemplate: "%{x:.3g}, %{y:.3g}: loss %{customdata:.4g}<extra></extra>" };
      Object.assign(trace, webgl ? { cmin: low, cmax: high } : { zmin: low, zmax: high });
      const axis = { color: css("--text"), gridcolor: css("--line"), backgroundcolor: "rgba(0,0,0,0)" };
      const scene = { aspectmode: "cube", camera: { eye: { x: 1.8, y: 1.8, z: 1.2 } }, xaxis: { ...axis, title: { text: "x" } }, yaxis: { ...axis, title: { text: "y" } }, zaxis: { ...axis, title: { text: "" }, range: [low, high] } };
      draw(card.lastChild, [trace], webgl ? { scene, margin: { l: 0, r: 0, t: 0, b: 0 } } : {},
        `Loss surface of ${s.title}: from ${number(Math.min(...s.loss.flat().filter((v) => v !== null)))} to ${number(Math.max(...s.loss.flat().filter((v) => v !== null)))} nats.`);
    });
  };

  const fillTable = (table, key, columns, rows, action) => {
    const sort = state.sort[key];
    if (sort) {
      const { read } = columns[sort.column];
      rows = [...rows].sort((a, b) => {
        const [x, y] = [read(a), read(b)];
        if (x === null || x === undefined) return 1;
        if (y === null || y === undefined) return -1;
        return (x < y ? -1 : x > y ? 1 : 0) * sort.sign;
      });
    }
    if (!table.tHead) {
      const heads = columns.map((column, index) => {
        const button = make("button", { type: "button", textContent: column.name });
        button.addEventListener("click", () => {
          const old = state.sort[key];
          state.sort[key] = { column: index, sign: old && old.column === index ? -old.sign : 1 };
          refresh(false);
        });
        return make("th", { scope: "col", className: column.number ? "number" : "" }, button);
      });
      if (action) heads.push(make("th", { scope: "col", textContent: "Provenance" }));
      table.append(make("thead", {}, make("tr", {}, ...heads)), make("tbody"));
    }
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      if (index < columns.length) head.setAttribute("aria-sort", sort && sort.column === index ? (sort.sign > 0 ? "ascending" : "descending") : "none");
    });
    const lines = rows.map((row) => {
      const cells = columns.map((column) => make("td", { className: column.number ? "number" : "", textContent: (column.print ?? ((value) => number(value)))(column.read(row), row) }));
      if (action) cells.push(make("td", {}, action(row)));
      return make("tr", {}, ...cells);
    });
    table.tBodies[0].replaceChildren(...lines);
  };
  const rowColumns = [
    { name: "Checkpoint", read: (r) => r.checkpoint },
    { name: "Recipe", read: (r) => r.recipe },
    { name: "Architecture", read: (r) => r.arch },
    { name: "Set", read: (r) => r.panel },
    { name: "EER (%)", number: true, read: (r) => r.eer, print: (v) => percent(v) },
    { name: "95% interval", number: true, read: (r) => r.eer_low, print: (_, r) => range(r.eer_low, r.eer_high, percent) },
    { name: "Value", number: true, read: (r) => r.value, print: (v) => number(v, 4) },
    { name: "95% interval ", number: true, read: (r) => r.value_low, print: (_, r) => range(r.value_low, r.value_high, (v) => number(v, 4)) },
    { name: "Note", read: (r) => r.note },
  ];
  const correlationColumns = [
    { name: "Set", read: (r) => r.panel },
    { name: "Measure", read: (r) => r.way },
    { name: "n", number: true, read: (r) => r.n },
    { name: "Spearman", number: true, read: (r) => r.spearman },
    { name: "95% interval", number: true, read: (r) => r.spearman_low, print: (_, r) => range(r.spearman_low, r.spearman_high, number) },
    { name: "Kendall", number: true, read: (r) => r.kendall },
    { name: "p", number: true, read: (r) => r.p },
    { name: "Holm p", number: true, read: (r) => r.p_holm },
    { name: "BH q", number: true, read: (r) => r.q_bh },
    { name: "Note", read: (r) => r.note },
  ];
  const whole = (row) => {
    const button = make("button", { type: "button", textContent: "whole row" });
    button.setAttribute("aria-label", `whole row of ${row.checkpoint} on ${row.panel}`);
    button.addEventListener("click", () => {
      const entries = Object.entries(row).filter(([name]) => !["group", "variant", "panel"].includes(name));
      find("provenance").querySelector("dl").replaceChildren(...entries.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value === null || value === "" ? "–" : String(value) })]));
      find("provenance").showModal();
    });
    return button;
  };

  const refresh = (figures = true) => {
    const variant = data.variants[state.variant];
    const rows = shown();
    const total = data.rows.filter((row) => row.variant === state.variant).length;
    for (const span of document.querySelectorAll("span.label")) span.textContent = variant.label;
    find("status").textContent = `${rows.length} of ${total} measurements of ${variant.label} shown.`;
    find("statistics-note").textContent = rows.length < total
      ? "Lines and statistics are those of all checkpoints, not only of those shown: a test of what one has picked by eye would prove nothing."
      : "Dashed: Theil-Sen line. Bars: 95% intervals. Hover over a point to see its checkpoint.";
    fillTable(find("rows"), "rows", rowColumns, rows, whole);
    const query = state.find.toLowerCase();
    fillTable(find("correlations"), "correlations", correlationColumns,
      data.correlations.filter((row) => !state.offSets.has(row.panel) && `${row.panel} ${row.way}`.toLowerCase().includes(query)));
    if (!figures) return;
    drawScatter(rows, variant);
    drawShift(rows, variant);
    drawForest(variant);
    drawHeatmap();
    drawSurfaces();
  };

  const measures = [...new Set(data.variants.map((v) => v.measure))];
  const several = (name) => new Set(data.variants.map((v) => v[name])).size > 1;
  const fillRadius = (measure) => {
    const options = data.variants.map((v, index) => [v, index]).filter(([v]) => v.measure === measure).map(([v, index]) => {
      const parts = [v.rho === null ? "none" : `ρ = ${v.rho}`];
      if (several("m") && v.m !== null) parts.push(`m = ${v.m}`);
      if (several("preset")) parts.push(v.preset);
      return make("option", { value: index, textContent: parts.join(", ") });
    });
    find("radius").replaceChildren(...options);
    find("radius").disabled = options.length < 2;
    const usual = data.variants.findIndex((v) => v.measure === measure && v.rho === 0.05);
    state.variant = usual >= 0 ? usual : Number(options[0].value);
    find("radius").value = state.variant;
  };
  const checks = (id, names, off, swatch) => {
    names.forEach((name, index) => {
      const key = id === "kinds" ? index : name;
      const box = make("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => { box.checked ? off.delete(key) : off.add(key); refresh(); });
      find(id).append(make("label", {}, box, ...(swatch ? [swatch(index)] : []), name));
    });
  };
  const glyphs = { circle: "●", square: "■", "triangle-up": "▲", diamond: "◆", "triangle-down": "▼", x: "✕", cross: "✚", "triangle-left": "◀", star: "★", "triangle-right": "▶", hexagon: "⬢", pentagon: "⬟",
    "circle-open": "○", "square-open": "□", "triangle-up-open": "△", "diamond-open": "◇", "triangle-down-open": "▽", "triangle-left-open": "◁", "star-open": "☆", "triangle-right-open": "▷", "hexagon-open": "⬡", "pentagon-open": "⬠" };
  const swatches = [];

  find("measure").append(...measures.map((name) => make("option", { value: name, textContent: name })));
  const first = measures.includes("sam") ? "sam" : measures[0];
  find("measure").value = first;
  fillRadius(first);
  checks("kinds", data.groups.map((g) => g.label), state.offGroups, (index) => {
    const mark = make("span", { className: "swatch", textContent: glyphs[data.groups[index].symbol] ?? "●" });
    mark.setAttribute("aria-hidden", "true");
    swatches.push(mark);
    return mark;
  });
  checks("sets", data.sets, state.offSets);
  find("measure").addEventListener("change", (event) => { fillRadius(event.target.value); refresh(); });
  find("radius").addEventListener("change", (event) => { state.variant = Number(event.target.value); refresh(); });
  find("query").addEventListener("input", (event) => { state.query = event.target.value; refresh(); });
  find("find").addEventListener("input", (event) => { state.find = event.target.value; refresh(false); });
  const theme = (name) => {
    document.documentElement.dataset.theme = name;
    find("theme").setAttribute("aria-pressed", String(name === "dark"));
    swatches.forEach((mark, index) => { mark.style.color = colour(data.groups[index]); });
    refresh();
  };
  find("theme").addEventListener("click", () => theme(dark() ? "light" : "dark"));
  theme(window.matchMedia && window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
})();
