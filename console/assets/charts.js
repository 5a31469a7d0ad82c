// Draws the last hour of a job. Each chart is a figure that holds its values; without script it has a line
// drawn by the server.
"use strict";
(() => {
  const drawn = new Map(); // figure -> chart
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const tenths = (v) => String(Math.round(v * 10) / 10); // else labels of an axis repeat
  const seconds = (v) => v < 90 ? tenths(v) + " s" : v < 5400 ? tenths(v / 60) + " min" : tenths(v / 3600) + " h";
  const units = { seconds, count: (v) => v >= 10000 ? tenths(v / 1000) + "k" : tenths(v), rate: (v) => String(Math.round(v * 100) / 100) };

  // Whole binlogs and seconds.
  const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400, 172800, 864000, 8640000, 86400000];

  const draw = (figure) => {
    const box = figure.querySelector(".plot");
    const values = JSON.parse(figure.dataset.values).map((v) => v < 0 ? null : v);
    const every = Number(figure.dataset.every), end = Number(figure.dataset.end);
    const times = values.map((_, i) => end - (values.length - 1 - i) * every);
    const unit = units[figure.dataset.kind];
    const few = values.filter((v) => v !== null).length < 4; // a line needs two: an hour that has just begun shows points
    const said = figure.querySelector(".said");
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px " + colour("--body"), gap: 4 };
    const sync = uPlot.sync("hour");
    box.replaceChildren();
    const chart = new uPlot({
      width: box.clientWidth, height: 130, padding: [8, 4, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: { key: sync.key } },
      scales: { y: { range: (u, low, high) => [0, Math.max(high || 0, figure.dataset.kind === "rate" ? 1 : 4) * 1.05] } },
      axes: [
        { ...axis, size: 22, space: 70, values: (u, ticks) => ticks.map((t) => new Date(t * 1000).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })) },
        { ...axis, size: 48, space: 30, values: (u, ticks) => ticks.map(unit), ...(figure.dataset.kind === "rate" ? {} : { incrs: steps }) },
      ],
      series: [{}, { stroke: colour("--accent"), width: 1.5, fill: colour("--accent") + "22", points: { show: few, size: 4 }, spanGaps: false }],
      hooks: { setCursor: [(u) => { const v = u.cursor.idx == null ? null : values[u.cursor.idx]; said.textContent = v == null ? "" : unit(v); }] },
    }, [times, values], box);
    drawn.set(figure, chart);
  };

  const drawAll = () => {
    for (const [figure, chart] of drawn) if (!figure.isConnected) { chart.destroy(); drawn.delete(figure); }
    document.querySelectorAll("figure.chart").forEach((figure) => { if (!drawn.has(figure)) draw(figure); });
  };
  document.addEventListener("DOMContentLoaded", () => {
    drawAll();
    let waiting;
    const again = () => { clearTimeout(waiting); waiting = setTimeout(() => { for (const chart of drawn.values()) chart.destroy(); drawn.clear(); drawAll(); }, 150); };
    addEventListener("resize", again);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  });
  document.addEventListener("htmx:afterSwap", drawAll);
})();
