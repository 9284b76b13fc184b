"use strict";
const SHOWN_BINS = 24;

function unpack(packed) {
  const { features } = packed;
  const columns = Object.entries(packed.windows);
  const windows = packed.windows.s.map((_, w) => Object.fromEntries(columns.map(([name, column]) => [name, column[w]])));
  const bins = packed.bins.map(([labels, baseline]) => ({ labels: labels.map((word) => packed.words[word]), baseline }));
  const severity = (distance, threshold, isP) => {
    if (distance === null) return null;
    const [large, small] = isP ? [threshold, distance] : [distance, threshold];
    const ratio = small > 0 ? large / small : large > 0 ? Infinity : 0;
    return Math.min(ratio, 1e9); // a p-value may be 0, and infinity has no colour
  };
  const cell = (f, w) => {
    if (packed.rule[f][w] < 0) return null;
    const [method, threshold, isP] = packed.rules[packed.rule[f][w]];
    const distance = packed.distance[f][w];
    const { s, e, label } = windows[w];
    const ratio = severity(distance, threshold, isP);
    return { f, w, feature: features[f], s, e, mid: (s + e) / 2, label, distance, threshold, ratio, method, isP };
  };
  const cells = features.map((_, f) => windows.map((_, w) => cell(f, w)));
  return { ...packed, windows, bins, cells, gaps: windows.filter((window) => window.status === "NoData") };
}

function stacked(rows) {
  const top = new Map();
  return rows.map((row) => {
    const low = top.get(row.s) || 0;
    top.set(row.s, low + row.n);
    return { ...row, low, high: low + row.n };
  });
}

function violationRows({ windows, violations }) {
  return stacked(violations.map(([w, check, n, features]) => ({ ...windows[w], check, n, features })));
}

function countRows({ windows }, names) {
  return stacked(windows.flatMap((window) => names.map((of) => ({ ...window, of, n: window[of] }))));
}

function greatest(row) {
  return row.filter((cell) => cell && cell.ratio !== null)
    .reduce((best, cell) => (!best || cell.ratio > best.ratio ? cell : best), null);
}

function binRows({ bins: all, shares }, { f, w }) {
  if (!shares[f][w]) return { labels: [], rows: [], more: 0 };
  const [of, ...current] = shares[f][w];
  const { labels, baseline } = all[of];
  const change = (bin) => Math.abs(current[bin] - baseline[bin]);
  const bins = labels.map((_, bin) => bin);
  const shown = new Set([...bins].sort((a, b) => change(b) - change(a)).slice(0, SHOWN_BINS));
  const rows = bins.filter((bin) => shown.has(bin)).flatMap((bin) => {
    const both = { bin, bin_label: labels[bin], baseline: baseline[bin] / 1e4, window: current[bin] / 1e4 };
    return ["baseline", "window"].map((of) => ({ ...both, of, share: both[of] }));
  });
  return { labels, rows, more: bins.length - shown.size };
}

function lineRows({ cells, windows }, { f }) {
  return cells[f].map((cell, w) => cell || { ...windows[w], mid: windows[w].s, distance: null });
}

function biasRows({ windows, bias }, facet) {
  const { metrics, cells } = bias.series[facet];
  return metrics.flatMap((metric, m) => cells[m][0].map((value, at) => {
    const [, low, high, below, above, worse] = cells[m].map((column) => column[at]);
    const { s, e, label } = windows[bias.first + at];
    return { metric, mid: (s + e) / 2, label, value, low, high, below, above, worse };
  }));
}

function ndcgRows({ windows, attribution }, which) {
  const { ndcg, threshold, rows } = attribution.series[which];
  return ndcg[0].map((value, at) => {
    const { s, e, label } = windows[attribution.first + at];
    const [, low, high, worse] = ndcg.map((column) => column[at]);
    return { mid: (s + e) / 2, label, ndcg: value, low, high, worse, threshold, rows: rows[at] };
  });
}

function rankRows({ windows, attribution }, which) {
  const { features, rank, share, baseline } = attribution.series[which];
  const { together } = attribution;
  return features.flatMap((feature, of) => {
    const row = rank[of].map((value, at) => {
      const first = windows[attribution.first + at * together];
      const last = windows[Math.min(attribution.first + (at + 1) * together, windows.length) - 1];
      const { s } = first, { e } = last;
      const label = first === last ? first.label : `${first.label} to ${last.label}`;
      return { feature, of, mid: (s + e) / 2, label, rank: value, share: share[of][at], last: false };
    });
    const { s, e } = windows[attribution.first];
    const before = s - (e - s) * together / 2;
    if (baseline[of] !== null) {
      row.unshift({ feature, of, mid: before, label: "baseline", rank: baseline[of], share: null, last: false });
    }
    const known = row.filter((point) => point.rank !== null && point.rank !== undefined);
    if (known.length) known[known.length - 1].last = true;
    return row;
  });
}

function coverageRows({ quality }) {
  const { windows } = quality;
  return stacked(windows.s.flatMap((s, at) => ["matched", "waiting", "expired"].map((of) => {
    const row = Object.fromEntries(Object.entries(windows).map(([name, column]) => [name, column[at]]));
    return { ...row, of, n: row[of] };
  })));
}

function qualityRows({ quality }, which) {
  const { windows, series, thresholds } = quality;
  return windows.s.map((s, at) => {
    const row = Object.fromEntries(Object.entries(windows).map(([name, column]) => [name, column[at]]));
    const [value, low, high, worse, estimate, worseEstimate] = series[which].map((column) => column[at]);
    const threshold = thresholds[which];
    const bound = [threshold, value, estimate].find((number) => number !== null);
    return { ...row, mid: (s + row.e) / 2, value, low, high, worse, estimate, worseEstimate, threshold, bound };
  });
}

function unlabelled({ quality }) {
  const { s, e, label, matched, waiting, expired } = quality.windows;
  return s.map((start, at) => ({ s: start, e: e[at], label: label[at], status: "no predictions", n: matched[at] + waiting[at] + expired[at] }))
    .filter(({ n }, at) => !n && quality.series.every((columns) => columns[0][at] === null && columns[4][at] === null));
}

function undefinedMetrics({ bias }, facet) {
  return bias.series[facet].undefined.map(([why, names]) => `Not defined: ${names} (${why}).`).join(" ");
}

function caption({ feature, label, distance, threshold, ratio, method, isP }) {
  if (distance === null) return `${feature}, ${label}: nothing could be compared`;
  const what = `${method} ${isP ? "p-value" : "distance"} ${Number(distance.toPrecision(4))}`;
  return `${feature}, ${label}: ${what}, threshold ${threshold}: ${ratio > 1 ? "drift" : "no drift"}`;
}

async function draw(section) {
  const data = unpack(JSON.parse(section.querySelector("script.data").textContent));
  const find = (role) => section.querySelector(`[data-role="${role}"]`);
  const embed = async (name, datasets) => {
    const target = section.querySelector(`[data-chart="${name}"]`);
    if (!target || !data.specs[name]) return null;
    const spec = { ...data.specs[name], datasets };
    const { view } = await vegaEmbed(target, spec, { mode: "vega-lite", renderer: "canvas", actions: false });
    return view;
  };
  const { gaps, cells, windows, lead } = data;
  await embed("violations", { gaps, violations: violationRows(data) });
  await embed("rows", { gaps, counts: countRows(data, ["rows"]) });
  await embed("lost", { gaps, counts: countRows(data, ["bad", "late"]) });
  if (data.bias) {
    const view = await embed("bias", { bias: biasRows(data, 0) });
    const show = (facet) => {
      find("undefined").textContent = undefinedMetrics(data, facet);
      view.data("bias", biasRows(data, facet)).runAsync();
    };
    find("facet").addEventListener("change", (event) => show(event.target.value));
    show(0);
  }
  if (data.attribution && data.attribution.labels.length) {
    const line = await embed("ndcg", { gaps, ndcg: ndcgRows(data, 0) });
    const bump = await embed("ranks", { ranks: rankRows(data, 0) });
    find("label").addEventListener("change", ({ target }) => {
      line.data("ndcg", ndcgRows(data, target.value)).runAsync();
      bump.data("ranks", rankRows(data, target.value)).runAsync();
    });
  }
  if (data.quality) {
    const empty = unlabelled(data);
    const line = await embed("quality", { gaps: empty, quality: qualityRows(data, 0) });
    await embed("coverage", { gaps: empty, coverage: coverageRows(data) });
    const show = (metric) => {
      find("metric").value = metric;
      line.data("quality", qualityRows(data, metric)).runAsync();
    };
    find("metric").addEventListener("change", ({ target }) => show(target.value));
    section.addEventListener("click", ({ target }) => {
      if (target.dataset.metric) show(target.dataset.metric);
    });
  }
  let now = lead ? cells[lead[0]][lead[1]] : cells.flat().find((cell) => cell);
  if (now) {
    const map = await embed("drift", { gaps, cells: cells.flat().filter((cell) => cell), chosen: [now] });
    const bars = await embed("distribution", { bins: binRows(data, now).rows });
    const line = await embed("distance", { line: lineRows(data, now), chosen: [now] });

    const choose = async (cell) => {
      if (!cell) return;
      now = cell;
      const { labels, rows, more } = binRows(data, cell);
      find("feature").value = cell.f;
      find("caption").textContent = caption(cell);
      find("measure").textContent = cell.isP ? "p-value" : "distance";
      find("empty").textContent = !rows.length ? "The page does not hold the distribution of this window."
        : more ? `${more} more values with smaller changes are not shown.` : "";
      section.dataset.chosen = `${cell.f},${cell.w}`;
      bars.signal("labels", labels).data("bins", rows);
      line.data("line", lineRows(data, cell)).data("chosen", [cell]);
      map.data("chosen", [cell]);
      await Promise.all([map.runAsync(), bars.runAsync(), line.runAsync()]);
    };
    const step = (by) => {
      for (let w = now.w + by; w >= 0 && w < windows.length; w += by) {
        if (cells[now.f][w]) return choose(cells[now.f][w]);
      }
    };
    const picked = (event, item) => {
      const whole = !item || item.mark.marktype === "line"; // a line is one item, with the datum of its first window
      const { f, w } = (!whole && item.datum) || {};
      if (f !== undefined) choose(cells[f][w]);
    };
    map.addEventListener("click", picked);
    line.addEventListener("click", picked);
    find("feature").addEventListener("change", (event) => {
      const row = cells[event.target.value];
      choose(row[now.w] || greatest(row) || row.find((cell) => cell));
    });
    find("earlier").addEventListener("click", () => step(-1));
    find("later").addEventListener("click", () => step(1));
    section.addEventListener("click", ({ target }) => {
      if (!target.dataset.window) return;
      choose(cells[target.dataset.feature][target.dataset.window]);
      section.querySelector('[data-chart="drift"]').scrollIntoView({ behavior: "smooth", block: "start" });
    });
    await choose(now);
  }
  section.dataset.drawn = "yes";
}

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    draw(target);
  }
}, { rootMargin: "800px" });
const [first, ...others] = document.querySelectorAll("section");
draw(first);
others.forEach((section) => near.observe(section));
