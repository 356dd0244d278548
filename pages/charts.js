// Draws the figures of a page with Plotly: hover, zoom by dragging, double click to see all again.
"use strict";
(() => {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const COLOURS = 8;
  const settings = { axis: null, smoothing: 0 };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const figures = [...document.querySelectorAll("figure.chart")];
  const config = {
    displaylogo: false, responsive: true, showTips: false,
    // Named one by one: the library's own list has a button that sends the chart to its maker's service.
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  };

  // Exponential average without the bias of its start, as TensorBoard smooths.
  const smoothed = (values, weight) => {
    let sum = 0, count = 0;
    return values.map((value) => {
      if (value === null) return null;
      sum = sum * weight + (1 - weight) * value;
      count = count * weight + (1 - weight);
      return sum / count;
    });
  };

  // Large numbers as 3.2M, others as they are; 3e-7 rather than 300n.
  const format = (values) => (Math.max(...values.map((v) => Math.abs(v ?? 0))) >= 1e4 ? "~s" : "~g");

  const lines = (data) => {
    const axis = data.axes.includes(settings.axis) ? settings.axis : data.axes[0];
    const traces = [];
    for (const line of data.series) {
      const color = colour(`line-${line.colour % COLOURS}`);
      const isSmooth = settings.smoothing > 0 && !line.markers;
      const base = {
        x: line.x[axis], name: line.name || data.title, type: "scatter",
        mode: !line.joined ? "markers" : line.markers ? "lines+markers" : "lines",
        line: { color, width: 1.6, dash: line.dashed ? "dash" : "solid" }, marker: { color, size: 5 },
        hovertemplate: data.percent ? "%{y:.2%}" : "%{y:.5g}",
      };
      if (isSmooth) {
        traces.push({ ...base, y: line.y, opacity: 0.25, showlegend: false, hoverinfo: "skip", hovertemplate: undefined });
      }
      traces.push({ ...base, y: isSmooth ? smoothed(line.y, settings.smoothing) : line.y });
    }
    return {
      traces,
      layout: {
        hovermode: "x unified", showlegend: data.series.length > 1,
        xaxis: { title: { text: axis, standoff: 4 }, tickformat: format(data.series.flatMap((line) => line.x[axis])) },
        yaxis: {
          type: data.log ? "log" : "linear",
          tickformat: data.percent ? ".3~%" : format(data.series.flatMap((line) => line.y)),
        },
        shapes: data.marks.map((x) => mark(x)),
        annotations: data.marks.map((x) => label(x, String(x))),
      },
    };
  };

  const histogram = (data) => ({
    traces: [{
      type: "bar", x: data.counts.map((_, i) => i + 0.5), y: data.counts, customdata: data.names,
      marker: { color: colour("line-0") }, hovertemplate: "%{customdata}: %{y:,}<extra></extra>",
    }],
    layout: {
      height: 190, bargap: 0.06, showlegend: false, hovermode: "x", margin: { l: 36, r: 12, t: 24, b: 28 },
      xaxis: {
        tickvals: data.ticks.map((tick) => tick[0]), ticktext: data.ticks.map((tick) => tick[1]),
        range: [0, data.counts.length], showgrid: false,
      },
      yaxis: { rangemode: "tozero", tickformat: "~s", nticks: 4 },
      shapes: data.marks.map(([x]) => mark(x)),
      annotations: data.marks.map(([x, text]) => label(x, text)),
    },
  });

  const bars = (data) => {
    const tops = data.labels.map((_, i) => Math.max(...data.groups.map(([, values]) => values[i])));
    return {
      traces: data.groups.map(([name, values], i) => ({
        type: "bar", orientation: "h", name, x: values, y: data.labels.map((_, n) => n),
        customdata: data.labels, marker: { color: colour(i ? "line-0" : "dim") },
        hovertemplate: "%{customdata}: %{x:.1%}",
      })),
      layout: {
        barmode: "group", bargap: 0.25, hovermode: "closest", showlegend: true,
        height: 90 + 40 * data.labels.length,
        xaxis: { tickformat: ".0%", rangemode: "tozero", range: [0, 1.28 * Math.max(...tops, 1e-9)] },
        yaxis: {
          tickvals: data.labels.map((_, n) => n), ticktext: data.labels, autorange: "reversed",
          automargin: true, showgrid: false,
        },
        annotations: data.notes.map((text, n) => ({
          x: tops[n], y: n, text, showarrow: false, xanchor: "left", xshift: 6,
          font: { color: colour(data.warned[n] ? "bad" : "soft") },
        })),
      },
    };
  };

  const intervals = (data) => {
    const count = data.dots.length;
    const rows = data.labels.map((_, n) => n);
    const offset = (i) => (count > 1 ? 0.5 * (i / (count - 1) - 0.5) : 0);
    const shown = data.percent ? "%{x:.1%}" : "%{x:.4f}";
    const traces = data.dots.map((dots, i) => {
      const color = colour(`line-${i % COLOURS}`);
      const ends = dots.x.map((x, n) => (x === null || dots.low[n] === null ? "" :
        (data.percent ? `${(100 * dots.low[n]).toFixed(1)} to ${(100 * dots.high[n]).toFixed(1)} %`
          : `${dots.low[n].toFixed(4)} to ${dots.high[n].toFixed(4)}`)));
      return {
        type: "scatter", mode: "markers", name: dots.name, x: dots.x, y: rows.map((n) => n + offset(i)),
        marker: { color, size: 8 }, customdata: data.labels.map((label, n) => [label, ends[n]]),
        error_x: {
          type: "data", symmetric: false, color, thickness: 1.6, width: 3,
          array: dots.x.map((x, n) => (x === null || dots.high[n] === null ? 0 : dots.high[n] - x)),
          arrayminus: dots.x.map((x, n) => (x === null || dots.low[n] === null ? 0 : x - dots.low[n])),
        },
        hovertemplate: `%{customdata[0]}: ${shown}<br>%{customdata[1]}`,
      };
    });
    const SYMBOLS = ["line-ns-open", "diamond-open", "triangle-up-open"];
    data.marks.forEach(([name, values], i) => traces.push({
      type: "scatter", mode: "markers", name, x: values, y: rows, customdata: data.labels,
      marker: { color: colour("soft"), symbol: SYMBOLS[i % SYMBOLS.length], size: i ? 9 : 16, line: { width: 2 } },
      hovertemplate: `%{customdata}: ${shown}`,
    }));
    return {
      traces,
      layout: {
        hovermode: "closest", showlegend: true, height: 110 + (20 + 10 * count) * data.labels.length,
        margin: { l: 48, r: 16, t: 12, b: 64 },
        xaxis: { tickformat: data.percent ? ".0%" : "~g", nticks: 6 },
        yaxis: {
          tickvals: rows, ticktext: data.labels, range: [data.labels.length - 0.4, -0.6],
          automargin: true, showgrid: false, zeroline: false,
        },
        shapes: data.zero ? [mark(0)] : [],
      },
    };
  };

  const parallel = (data) => {
    const GROUP_COLOURS = ["line-1", "line-0", "dim"];
    const groups = data.names.map((name, group) => {
      const x = [], y = [], text = [];
      data.lines.forEach((line, n) => {
        if (data.groups[n] !== group) return;
        data.axes.forEach((axis, i) => { x.push(i); y.push(axis.values[n]); text.push(line); });
        x.push(null); y.push(null); text.push("");
      });
      const color = colour(GROUP_COLOURS[group % GROUP_COLOURS.length]);
      return {
        type: "scatter", mode: "lines+markers", name, x, y, text, opacity: group ? 0.55 : 1,
        line: { color, width: group ? 1 : 2.4 }, marker: { color, size: group ? 3 : 6 }, hovertemplate: "%{text}<extra></extra>",
      };
    });
    return {
      traces: groups.reverse(), // the first group is drawn last, above the others
      layout: {
        hovermode: "closest", showlegend: true, height: 420, margin: { l: 72, r: 64, t: 24, b: 130 },
        legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0, traceorder: "reversed", font: { color: colour("ink") } },
        xaxis: {
          tickvals: data.axes.map((_, i) => i), ticktext: data.axes.map((axis) => axis.name),
          range: [-0.15, data.axes.length - 0.6], showgrid: false, zeroline: false, tickangle: -40,
        },
        yaxis: { visible: false, range: [-0.06, 1.06] },
        shapes: data.axes.map((_, i) => ({ type: "line", x0: i, x1: i, y0: 0, y1: 1, line: { color: colour("soft"), width: 1 } })),
        annotations: data.axes.flatMap((axis, i) => axis.ticks.map(([y, text]) => ({
          x: i, y, text, showarrow: false, xanchor: "left", xshift: 4, font: { color: colour("soft"), size: 11 },
        }))),
      },
    };
  };

  const mark = (x) => ({
    type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper",
    line: { color: colour("bad"), width: 1.2, dash: "dash" },
  });
  const label = (x, text) => ({
    x, y: 1, yref: "paper", yanchor: "bottom", text, showarrow: false, font: { color: colour("bad"), size: 11 },
  });

  const KINDS = { lines, histogram, bars, intervals, parallel };

  const draw = (figure) => {
    const data = JSON.parse(figure.dataset.chart);
    const { traces, layout } = KINDS[data.kind](data);
    const grid = { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), automargin: true };
    const plot = figure.querySelector(".plot");
    Plotly.react(plot, traces, {
      height: 260, margin: { l: 48, r: 12, t: 24, b: 36 }, dragmode: "zoom",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, 'Noto Sans', 'Noto Sans CJK SC', sans-serif", size: 12, color: colour("soft") },
      legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0, font: { color: colour("ink") } },
      hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("line"), font: { color: colour("ink") } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("soft"), activecolor: colour("ink") },
      ...layout,
      xaxis: { ...grid, ...layout.xaxis }, yaxis: { ...grid, ...layout.yaxis },
    }, config);
    figure.dataset.drawn = "yes";
  };

  const again = () => figures.filter((figure) => figure.dataset.drawn).forEach(draw);

  // Charts are drawn when they come near the window: a long page opens at once.
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !entry.target.dataset.drawn) draw(entry.target);
    }
  }, { rootMargin: "600px" });
  figures.forEach((figure) => seen.observe(figure));
  addEventListener("beforeprint", () => figures.filter((figure) => !figure.dataset.drawn).forEach(draw));
  dark.addEventListener("change", again);

  const controls = document.querySelector("form.controls");
  if (controls) {
    const read = () => {
      settings.axis = controls.elements.axis.value;
      settings.smoothing = Number(controls.elements.smoothing.value);
      controls.querySelector("output").value = settings.smoothing.toFixed(2);
    };
    controls.addEventListener("input", () => { read(); again(); });
    controls.addEventListener("submit", (event) => event.preventDefault());
    controls.hidden = false;
    read();
  }
})();
