"use strict";
(() => {
  const studies = JSON.parse(document.getElementById("data").textContent);
  const unpack = (columns) => {
    const rows = Array.from({ length: columns[""] }, () => ({}));
    for (const [name, cells] of Object.entries(columns)) {
      if (name === "") continue;
      const read = cells.length === 1 ? () => cells[0] : cells.length === 2 ? (i) => cells[0][cells[1][i]] : (i) => cells[2][i];
      rows.forEach((row, i) => { row[name] = read(i); });
    }
    return rows;
  };
  for (const study of studies) { study.rows = unpack(study.rows); study.correlations = unpack(study.correlations); }
  let data = studies[0];
  const find = (id) => document.getElementById(id);
  const state = { table: 0, variant: 0, board: "eer", query: "", find: "", offGroups: new Set(), offSets: new Set(), sort: {} };

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const signed = (text) => text.replace(/^-/, "−").replace("e-", "e−");  // the minus of the printed figures
  const number = (value, digits = 3) =>
    value === null || value === undefined ? "–" : typeof value === "number" ? signed(Number(value.toPrecision(digits)).toString()) : value;
  const percent = (value) => (value === null || value === undefined ? "–" : signed((100 * value).toFixed(2)));
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
    const axis = { exponentformat: "power", gridcolor: css("--line"), zerolinecolor: css("--line"), linecolor: css("--soft"), automargin: true };
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
  const roomFor = (rows, logarithmic) => logarithmic ? undefined : room(rows.map((r) => r.value), rows.map((r) => r.value_low), rows.map((r) => r.value_high));
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
      draw(card.lastChild, traces, { xaxis: { title: { text: variant.label + (variant.logarithmic ? ", logarithmic" : "") }, type: variant.logarithmic ? "log" : "linear", range: roomFor(part, variant.logarithmic) }, yaxis: { title: { text: "EER (%)" }, rangemode: "nonnegative" } },
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
    // A line per checkpoint, as in the printed figure.
    const lines = data.groups.map((group, index) => {
      const some = traces[index], by = new Map();
      rows.filter((row) => row.group === index && row.value !== null).forEach((row, i) => {
        if (!by.has(row.sha256)) by.set(row.sha256, []);
        by.get(row.sha256).push([some.x[i], some.y[i]]);
      });
      const points = [...by.values()].flatMap((list) => [...list.sort((a, b) => a[0] - b[0]), [null, null]]);
      return { x: points.map((p) => p[0]), y: points.map((p) => p[1]), mode: "lines", line: { color: colour(group), width: 1 }, opacity: 0.5, hoverinfo: "skip" };
    });
    const bands = names.map((_, i) => i).filter((i) => i % 2).map((i) => ({ type: "rect", xref: "x", yref: "paper", x0: i - 0.5, x1: i + 0.5, y0: 0, y1: 1, fillcolor: css("--panel"), line: { width: 0 }, layer: "below" }));
    draw(find("shift"), [...lines, ...traces],
      { shapes: bands, xaxis: { tickvals: names.map((_, i) => i), ticktext: names, range: [-0.6, names.length - 0.4] }, yaxis: { title: { text: variant.label }, type: variant.shift_logarithmic ? "log" : "linear", range: roomFor(rows.filter((row) => row.value !== null), variant.shift_logarithmic) } },
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
    draw(find("forest"), [trace], { xaxis: { range: [-1.05, 1.05], title: { text: "Spearman (n)" } }, yaxis: { autorange: "reversed", type: "category" } },
      text.length ? `Correlations: ${text.join("; ").replace(/<[^>]*>/g, " ")}` : "No correlation could be computed.");
  };

  const drawHeatmap = () => {
    const names = setsShown();
    const ways = [...new Set(data.correlations.map((row) => row.way))];
    const at = (name, way) => data.correlations.find((row) => row.panel === name && row.way === way);
    const cell = (name, way, pick) => { const row = at(name, way); return row ? pick(row) : null; };
    const star = (p) => (p === null ? "" : p <= 0.001 ? "***" : p <= 0.01 ? "**" : p <= 0.05 ? "*" : "");
    const trace = {
      type: "heatmap", x: ways, y: names, zmin: -1, zmax: 1, colorscale: data.scales.diverging,
      z: names.map((name) => ways.map((way) => cell(name, way, (row) => row.spearman))),
      text: names.map((name) => ways.map((way) => cell(name, way, (row) => (row.spearman === null ? "–" : signed(row.spearman.toFixed(2)) + star(row.p_holm))) ?? "")),
      customdata: names.map((name) => ways.map((way) => cell(name, way, (row) => `n ${row.n}, Holm p ${number(row.p_holm)} ${row.note || ""}`) ?? "")),
      // On a phone numbers would be specks; a touch shows them, and so does the table below.
      texttemplate: find("heatmap").clientWidth / ways.length < 60 ? "" : "%{text}",
      hovertemplate: "%{y}, %{x}: %{text}<br>%{customdata}<extra></extra>",
      colorbar: { title: { text: "Spearman" }, thickness: 12 },
    };
    draw(find("heatmap"), [trace], { yaxis: { autorange: "reversed" }, margin: { l: 80, r: 12, t: 8, b: 70 } },
      "Spearman correlation of every measure with EER on every set; the numbers are in the table of correlations.");
  };

  const webgl = (() => { try { return !!document.createElement("canvas").getContext("webgl"); } catch { return false; } })();
  // Surfaces are slow to draw: not before the reader comes near them.
  let near = false;
  if (studies.some((study) => study.surfaces.length)) {
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near = true;
      observer.disconnect();
      drawSurfaces();
    }, { rootMargin: "200px" }).observe(find("surface-part"));
  }
  const drawSurfaces = () => {
    find("surface-part").hidden = !data.surfaces.length;
    if (!near || !data.surfaces.length) return;
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
      const trace = { type: webgl ? "surface" : "contour", x: s.x, y: s.y, z: s.loss.map((row) => row.map(height)), colorscale: data.scales.sequential, showscale: false,
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
    const signature = columns.map((column) => column.name).join("|");
    if (table.dataset.columns !== signature) {
      table.dataset.columns = signature;
      table.replaceChildren();
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
      const cells = columns.map((column) => {
        const cell = make("td", { className: column.number ? "number" : "" });
        const shown = (column.print ?? ((value) => number(value)))(column.read(row), row);
        cell.append(shown ?? "–");
        if (column.paint) column.paint(cell, row);
        return cell;
      });
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
    button.addEventListener("click", () => open(row));
    return button;
  };
  const listing = (names, rows) => {
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col", textContent: name })))), make("tbody"));
    table.tBodies[0].append(...rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)))));
    return make("div", { className: "scroll", tabIndex: 0 }, table);
  };
  const player = (link) => {
    if (!link) return "–";
    const audio = make("audio", { controls: true, preload: "none" });
    audio.src = link.split("/").map(encodeURIComponent).join("/");
    return audio;
  };
  const drill = (row) => {
    const known = data.trials[`${row.sha256}|${row.panel}`];
    if (!known) return [make("p", { className: "note", textContent: "No scores of single trials lie beside the results table, so nothing can be said of them." })];
    const parts = [
      make("h3", { textContent: "Trials farthest on the wrong side" }),
      make("p", { className: "note", textContent: `Called bona fide from a score of ${number(known.threshold, 4)} up, where both errors are equal. Beyond: how far past it a trial lies; above zero it is an error. Audio plays where the file lies beside this page.` }),
      listing(["Trial", "Truth", "Score", "Beyond", "Attack", "Codec", "Speaker", "Audio"],
        known.worst.map(([trial, label, score, wrong, attack, codec, speaker, link]) => [trial, label, number(score, 4), number(wrong, 3), attack || "–", codec || "–", speaker || "–", player(link)])),
    ];
    if (known.attacks.length > 1) parts.push(make("h3", { textContent: "Errors by attack" }),
      listing(["Attack", "Trials", "Called bona fide (%)"], known.attacks.map(([name, n, share]) => [name || "unknown", String(n), percent(share)])));
    if (known.groups.length) parts.push(make("h3", { textContent: "Groups that carry the most sharpness" }),
      make("p", { className: "note", textContent: "Of the measure that this page opens with." }),
      listing(["Group", "Value", "Trials", "Attacks in it"], known.groups.map(([group, value, attacks, n]) => [String(group), number(value, 4), String(n), attacks || "–"])));
    return parts;
  };
  const open = (row) => {
      find("h-provenance").textContent = `${row.checkpoint} on ${row.panel}: EER ${percent(row.eer)} %`;
      find("drill").replaceChildren(...drill(row));
      const entries = Object.entries(row).filter(([name]) => !["group", "variant", "panel"].includes(name));
      find("provenance").querySelector("dl").replaceChildren(...entries.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value === null || value === "" ? "–" : String(value) })]));
      find("provenance").showModal();
      find("provenance").scrollTop = 0;
  };

  // A colour of the page's accent, deeper the higher the value; the text keeps its contrast.
  const tint = (share) => `color-mix(in srgb, ${css("--accent")} ${Math.round(42 * share)}%, transparent)`;
  const drawBoard = (rows) => {
    const key = state.board;
    const names = setsShown();
    const lines = new Map();
    for (const row of rows) {
      if (!lines.has(row.sha256)) lines.set(row.sha256, { first: row, cells: {} });
      lines.get(row.sha256).cells[row.panel] = row;
    }
    const values = rows.map((row) => row[key]).filter((v) => v !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const print = (v) => (key === "eer" ? percent(v) : number(v, 4));
    const cell = (name) => ({
      name, number: true,
      read: (line) => line.cells[name]?.[key] ?? null,
      print: (value, line) => {
        if (!line.cells[name]) return "–";
        const button = make("button", { type: "button", textContent: print(value) });
        button.setAttribute("aria-label", `${line.first.checkpoint} on ${name}: ${print(value)}; open trials and provenance`);
        button.addEventListener("click", () => open(line.cells[name]));
        return button;
      },
      paint: (td, line) => { const v = line.cells[name]?.[key]; if (v !== null && v !== undefined && high > low) td.style.background = tint((v - low) / (high - low)); },
    });
    const mean = (line) => { const all = names.map((name) => line.cells[name]?.[key]).filter((v) => v !== null && v !== undefined); return all.length ? all.reduce((a, b) => a + b, 0) / all.length : null; };
    const kind = (line) => data.groups[line.first.group].label;
    const columns = [
      { name: "Checkpoint", read: (line) => line.first.checkpoint },
      { name: "Kind", read: kind },
      ...names.map(cell),
      { name: "Mean", number: true, read: mean, print: (v) => make("span", { textContent: print(v), style: "padding: 0 .5rem" }) },
    ];
    state.sort.board ??= { column: columns.length - 1, sign: 1 };
    if (state.sort.board.column >= columns.length) state.sort.board.column = columns.length - 1;
    fillTable(find("board"), "board", columns, [...lines.values()]);
  };

  const save = (name, type, content) => {
    const link = make("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const csv = (rows, skip = []) => {
    const names = Object.keys(rows[0] ?? {}).filter((name) => !skip.includes(name));
    const quote = (v) => (v === null || v === undefined ? "" : /[",\n]/.test(String(v)) ? `"${String(v).replaceAll('"', '""')}"` : String(v));
    return [names.join(","), ...rows.map((row) => names.map((name) => quote(row[name])).join(","))].join("\n") + "\n";
  };
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const word = (text, action) => { const button = make("button", { type: "button", textContent: text }); button.addEventListener("click", action); return button; };
  const fillSources = () => {
    const own = ["group", "variant", "panel"];
    find("downloads").replaceChildren(
      word("results.csv", () => save(`${data.name.replaceAll("/", "-")}.csv`, "text/csv", csv(data.rows, own))),
      word("rows shown", () => save("rows_shown.csv", "text/csv", csv(shown(), own))),
      word("correlations.csv", () => save("correlations.csv", "text/csv", csv(data.correlations, ["panel", "way"]))),
      ...data.figures.filter((figure) => figure.pdf).map((figure) => word(`${figure.kind}.pdf`, () => save(`${figure.kind}.pdf`, "application/pdf", bytes(figure.pdf)))),
    );
    find("commands").textContent = data.commands.join("\n");
    find("printed").replaceChildren(...data.figures.filter((figure) => figure.image).map((figure) => {
      const image = make("img", { src: `data:image/png;base64,${figure.image}`, alt: figure.caption, loading: "lazy" });
      image.style.width = `${figure.width * 130}px`;
      return make("figure", { id: `printed-${figure.kind}` }, make("h3", { textContent: figure.kind, style: "color: #1a1a1a" }), image, make("figcaption", { textContent: figure.caption }));
    }));
  };
  const copy = (button, text) => {
    const done = () => { const before = button.textContent; button.textContent = "Copied"; setTimeout(() => { button.textContent = before; }, 1500); };
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");  // works on pages from disk, where the clipboard's own interface does not
    area.remove();
    done();
  };
  find("copy").addEventListener("click", (event) => copy(event.target, find("commands").textContent));
  find("address").addEventListener("click", (event) => copy(event.target, location.href));

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
    drawBoard(rows);
    find("live").hidden = !rows.length;
    find("empty").hidden = rows.length > 0;
    remember();
    const query = state.find.toLowerCase();
    fillTable(find("correlations"), "correlations", correlationColumns,
      data.correlations.filter((row) => !state.offSets.has(row.panel) && `${row.panel} ${row.way}`.toLowerCase().includes(query)));
    if (!figures || !rows.length) return;
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
    const boxes = names.map((name, index) => {
      const key = id === "kinds" ? index : name;
      const box = make("input", { type: "checkbox", checked: !off.has(key) });
      box.addEventListener("change", () => { box.checked ? off.delete(key) : off.add(key); refresh(); });
      return make("label", {}, box, ...(swatch ? [swatch(index)] : []), name);
    });
    find(id).replaceChildren(find(id).querySelector("legend"), ...boxes);
  };
  const glyphs = { circle: "●", square: "■", "triangle-up": "▲", diamond: "◆", "triangle-down": "▼", x: "✕", cross: "✚", "triangle-left": "◀", star: "★", "triangle-right": "▶", hexagon: "⬢", pentagon: "⬟",
    "circle-open": "○", "square-open": "□", "triangle-up-open": "△", "diamond-open": "◇", "triangle-down-open": "▽", "triangle-left-open": "◁", "star-open": "☆", "triangle-right-open": "▷", "hexagon-open": "⬡", "pentagon-open": "⬠" };
  let swatches = [];
  const paintSwatches = () => swatches.forEach((mark, index) => { mark.style.color = colour(data.groups[index]); });

  // What is shown stands in the address behind #, so that a view can be sent; pages from disk allow nothing else.
  const remember = () => {
    const variant = data.variants[state.variant];
    const parts = new URLSearchParams({ measure: variant.measure });
    for (const name of ["rho", "m", "preset"]) if (variant[name] !== null && variant[name] !== "") parts.set(name, variant[name]);
    if (studies.length > 1) parts.set("table", data.name);
    if (state.query) parts.set("checkpoint", state.query);
    if (state.find) parts.set("find", state.find);
    if (state.board !== "eer") parts.set("board", state.board);
    for (const index of state.offGroups) parts.append("without", data.groups[index].label);
    for (const name of state.offSets) parts.append("not-on", name);
    if (dark()) parts.set("theme", "dark");
    history.replaceState(null, "", `#${parts}`);
  };
  const recall = () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    if (!parts.has("measure")) return "";
    const table = studies.findIndex((study) => study.name === parts.get("table"));
    useTable(Math.max(table, 0));
    const wanted = data.variants.findIndex((v) => v.measure === parts.get("measure") &&
      ["rho", "m", "preset"].every((name) => String(v[name] ?? "") === (parts.get(name) ?? "")));
    if (wanted >= 0) { find("measure").value = data.variants[wanted].measure; fillRadius(data.variants[wanted].measure); state.variant = wanted; find("radius").value = wanted; }
    state.query = find("query").value = parts.get("checkpoint") ?? "";
    state.find = find("find").value = parts.get("find") ?? "";
    state.board = find("board-shows").value = parts.get("board") === "value" ? "value" : "eer";
    state.offGroups = new Set(parts.getAll("without").map((label) => data.groups.findIndex((g) => g.label === label)).filter((i) => i >= 0));
    state.offSets = new Set(parts.getAll("not-on").filter((name) => data.sets.includes(name)));
    fillChecks();
    return parts.get("theme") ?? "light";
  };
  const fillChecks = () => {
    swatches = [];
    checks("kinds", data.groups.map((g) => g.label), state.offGroups, (index) => {
      const mark = make("span", { className: "swatch", textContent: glyphs[data.groups[index].symbol] ?? "●" });
      mark.setAttribute("aria-hidden", "true");
      swatches.push(mark);
      return mark;
    });
    checks("sets", data.sets, state.offSets);
    paintSwatches();
  };
  const useTable = (index) => {
    state.table = index;
    data = studies[index];
    find("table").value = index;
    state.offGroups = new Set();
    state.offSets = new Set();
    delete state.sort.board;
    const measures = [...new Set(data.variants.map((v) => v.measure))];
    find("measure").replaceChildren(...measures.map((name) => make("option", { value: name, textContent: name })));
    const first = measures.includes("sam") ? "sam" : measures[0];
    find("measure").value = first;
    fillRadius(first);
    fillChecks();
    fillSources();
    find("scatter").replaceChildren();
    find("surfaces").replaceChildren();
  };
  find("table").append(...studies.map((study, index) => make("option", { value: index, textContent: study.name })));
  find("table-field").hidden = studies.length < 2;
  find("table").addEventListener("change", (event) => { useTable(Number(event.target.value)); refresh(); });
  find("board-shows").addEventListener("change", (event) => { state.board = event.target.value; refresh(false); });
  find("reset").addEventListener("click", () => {
    state.offGroups.clear(); state.offSets.clear();
    state.query = find("query").value = "";
    fillChecks();
    refresh();
  });
  for (const link of document.querySelectorAll('#contents a, .skip')) link.addEventListener("click", (event) => {
    event.preventDefault();  // the part behind # keeps what is shown
    const goal = document.querySelector(link.getAttribute("href"));
    goal.tabIndex = -1;
    goal.scrollIntoView();
    goal.focus({ preventScroll: true });
  });
  find("measure").addEventListener("change", (event) => { fillRadius(event.target.value); refresh(); });
  find("radius").addEventListener("change", (event) => { state.variant = Number(event.target.value); refresh(); });
  find("query").addEventListener("input", (event) => { state.query = event.target.value; refresh(); });
  find("find").addEventListener("input", (event) => { state.find = event.target.value; refresh(false); });
  const theme = (name) => {
    document.documentElement.dataset.theme = name;
    find("theme").setAttribute("aria-pressed", String(name === "dark"));
    paintSwatches();
    refresh();
  };
  find("theme").addEventListener("click", () => theme(dark() ? "light" : "dark"));
  useTable(0);
  if (matchMedia("(max-width: 40rem)").matches) find("choices").open = false;
  const before = recall();
  addEventListener("hashchange", () => { const name = recall(); if (name) theme(name); });
  theme(before ? before : window.matchMedia && window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
})();
