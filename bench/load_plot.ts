/** The course of a load test as a picture: calls per second above, latencies below, over time. */

/** One second of it. */
export interface Second {
  callsPerSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  p999: number;
}

interface Line {
  name: string;
  color: string;
  values: number[];
}

const WIDTH = 760, HEIGHT = 520;
const LEFT = 70, RIGHT = 20, TOP = 60, PANEL = 170, GAP = 60;
const INK = "#333", GRID = "#ddd";

/** The picture as SVG, under a title. */
export function plot(title: string, seconds: readonly Second[]): string {
  const of = (name: keyof Second) => seconds.map((second) => second[name]);
  const highest = Math.max(...of("callsPerSecond"));
  const latencies: Line[] = [
    { name: "p50", color: "#1b7837", values: of("p50") },
    { name: "p99", color: "#d95f02", values: of("p99") },
    { name: "p99.9", color: "#7b3294", values: of("p999") },
  ];
  const all = latencies.flatMap(({ values }) => values);
  const decades = [
    Math.floor(Math.log10(Math.min(...all))),
    Math.ceil(Math.log10(Math.max(...all))),
  ];
  const second = TOP + PANEL + GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12" fill="${INK}">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text(LEFT, 24, title, "start"),
    ...panel("calls per second", TOP, ticks(highest), (n) => n / ceiling(highest), [
      { name: "", color: "#2166ac", values: of("callsPerSecond") },
    ]),
    ...panel(
      "latency, ms",
      second,
      Array.from({ length: decades[1] - decades[0] + 1 }, (_, i) => 10 ** (decades[0] + i)),
      (n) => (Math.log10(n) - decades[0]) / Math.max(1, decades[1] - decades[0]),
      latencies,
    ),
    ...legend(latencies, second - 10),
    ...timeAxis(seconds.length, second + PANEL),
    "</svg>",
    "",
  ].join("\n");
}

/** One diagram: `scale` makes of a value its height, from 0 to 1. */
function panel(
  name: string,
  top: number,
  marks: readonly number[],
  scale: (n: number) => number,
  lines: readonly Line[],
): string[] {
  const y = (n: number) => top + PANEL * (1 - scale(n));
  return [
    text(LEFT, top - 10, name, "start"),
    ...marks.flatMap((mark) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(mark)}" y2="${y(mark)}" stroke="${GRID}"/>`,
      text(LEFT - 8, y(mark) + 4, mark.toLocaleString("en"), "end"),
    ]),
    ...lines.map(({ color, values }) => {
      const points = values.map((n, i) => `${x(i, values.length).toFixed(1)},${y(n).toFixed(1)}`);
      return `<polyline fill="none" stroke="${color}" stroke-width="1.5" points="${
        points.join(" ")
      }"/>`;
    }),
  ];
}

function x(i: number, n: number): number {
  return LEFT + (WIDTH - LEFT - RIGHT) * (n < 2 ? 0 : i / (n - 1));
}

function legend(lines: readonly Line[], y: number): string[] {
  return lines.flatMap(({ name, color }, i) => {
    const at = WIDTH - RIGHT - 70 * (lines.length - i);
    return [
      `<line x1="${at}" x2="${at + 18}" y1="${y - 4}" y2="${
        y - 4
      }" stroke="${color}" stroke-width="2"/>`,
      text(at + 24, y, name, "start"),
    ];
  });
}

function timeAxis(n: number, y: number): string[] {
  const step = ceiling(n / 8);
  const marks = Array.from({ length: Math.floor((n - 1) / step) + 1 }, (_, i) => i * step);
  return [
    ...marks.map((i) => text(x(i, n), y + 20, `${i + 1}`, "middle")),
    text((LEFT + WIDTH - RIGHT) / 2, y + 42, "second", "middle"),
  ];
}

/** Round numbers from 0 to what is not below `highest`. */
function ticks(highest: number): number[] {
  const top = ceiling(highest);
  return [0, 0.25, 0.5, 0.75, 1].map((part) => part * top);
}

/** 1, 2, 4 or 8, times a power of ten. */
function ceiling(n: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(n, 1)));
  return power * [1, 2, 4, 8, 10].find((factor) => factor * power >= n)!;
}

function text(x: number, y: number, content: string, anchor: string): string {
  const escaped = content.replace(
    /[&<>]/g,
    (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!,
  );
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped}</text>`;
}
