'use strict';
// The three charts, of points { at, all: values, rows: { service: values } }, where the values are [requests, ended,
// failed, queued, running, p50, p99].
/* global uPlot */

(() => {
  /** The values of a service, or of all together; undefined if the point has none. */
  const valuesOf = ({ all, rows }, service) => {
    if (service === '') return all;
    return Object.hasOwn(rows, service) ? rows[service] : undefined;
  };

  function colors() {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(name).trim();
  }

  class Charts {
    constructor() {
      this.history = [];
      this.historyMs = Infinity;
      this.service = '';
      this.plots = [];
      this.make();
      new ResizeObserver(() => this.resize()).observe(document.getElementById('charts'));
      matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.make());
    }

    make() {
      for (const { plot } of this.plots) plot.destroy();
      const color = colors();
      const axis = {
        stroke: color('--soft'),
        grid: { stroke: color('--line') },
        ticks: { stroke: color('--line') },
      };
      const chart = (id, series, unit) => {
        const into = document.getElementById(id);
        const options = {
          width: Math.max(200, into.clientWidth),
          height: 180,
          // The date below the first tick must not reach the second.
          axes: [
            { ...axis, space: 100 },
            { ...axis, size: 60 },
          ],
          scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
          cursor: { drag: { x: false, y: false } },
          series: [
            { label: 'time' },
            ...series.map(([label, name, dash]) => ({
              label,
              stroke: color(name),
              width: 2,
              dash,
              points: { show: false },
              value: (_plot, value) => (value === null ? '' : `${shown(value)}${unit}`),
            })),
          ],
        };
        return { id, series, unit, into, plot: new uPlot(options, [[], ...series.map(() => [])], into) };
      };
      this.plots = [
        chart(
          'rate',
          [
            ['ended', '--accent'],
            ['failed', '--bad', [6, 4]],
          ],
          '/s',
        ),
        chart(
          'queue',
          [
            ['waiting', '--accent'],
            ['running', '--good', [6, 4]],
          ],
          '',
        ),
        chart(
          'time',
          [
            ['median', '--accent'],
            ['99 %', '--bad', [6, 4]],
          ],
          ' ms',
        ),
      ];
      this.draw();
    }

    resize() {
      for (const { plot, into } of this.plots) {
        plot.setSize({ width: Math.max(200, into.clientWidth), height: 180 });
      }
    }

    /** Shows these points, and those to come for this time each. */
    begin(history, historyMs = Infinity) {
      this.history = history;
      this.historyMs = historyMs;
      this.draw();
    }

    add(point) {
      this.history.push(point);
      while (this.history[0].at < point.at - this.historyMs) this.history.shift();
      this.draw();
    }

    show(service) {
      this.service = service;
      this.draw();
    }

    draw() {
      const times = [];
      const data = { rate: [[], []], queue: [[], []], time: [[], []] };
      let before;
      for (const point of this.history) {
        times.push(point.at / 1000);
        const now = valuesOf(point, this.service);
        if (now === undefined) {
          // A gap. The counts of this time are in no rate, because it is unknown when they were counted.
          for (const lines of Object.values(data)) for (const line of lines) line.push(null);
          before = undefined;
          continue;
        }
        const seconds = before === undefined ? 0 : (point.at - before.at) / 1000;
        const rate = (n) =>
          seconds > 0 && now[n] >= before.now[n] ? (now[n] - before.now[n]) / seconds : null;
        data.rate[0].push(rate(1));
        data.rate[1].push(rate(2));
        data.queue[0].push(now[3]);
        data.queue[1].push(now[4]);
        data.time[0].push(now[5]);
        data.time[1].push(now[6]);
        before = { at: point.at, now };
      }
      for (const { id, series, unit, plot } of this.plots) {
        plot.setData([times, ...data[id]]);
        const texts = series.map(([label], n) => `${label} ${shown(data[id][n].at(-1) ?? 0)}${unit}`);
        document.getElementById(`${id}-text`).textContent = `now: ${texts.join(', ')}`;
      }
    }
  }

  function shown(value) {
    if (value === 0 || Number.isInteger(value)) return String(value);
    return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
  }

  window.Charts = Charts;
  window.shown = shown;
})();
