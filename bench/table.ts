/** The figures as a table and as JSON. */

import type { Figures, Row } from "./bench.ts";
import { NotAvailable } from "./bench.ts";
import { type Runtime, runtime } from "./runtime.ts";

export interface Outcome {
  row: Row;
  figures: Figures | NotAvailable;
}

export interface About {
  date: string;
  runtime: string;
  machine: string;
  server: string;
  quick: boolean;
}

/** A table in Markdown, for README.md. */
export function table(about: About, outcomes: Outcome[]): string {
  const lines = [
    ["row", "unit", "baseline", "its figure", "ours", "ratio", "to reach", ""],
    ...outcomes.map(cells),
  ];
  const widths = lines[0].map((_, i) => Math.max(3, ...lines.map((line) => line[i].length)));
  const isNumber = (i: number) => i >= 3 && i <= 6;
  const print = (line: string[]) => {
    const padded = line.map((cell, i) =>
      isNumber(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])
    );
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width, i) =>
    isNumber(i) ? "-".repeat(width - 1) + ":" : "-".repeat(width)
  );
  const { date, runtime, machine, server, quick } = about;
  return [
    `${runtime}, ${date}, ${machine}, server: ${server}${quick ? ", quick" : ""}`,
    "",
    print(lines[0]),
    print(rule),
    ...lines.slice(1).map(print),
  ].join("\n");
}

function cells({ row, figures }: Outcome): string[] {
  const about = [row.name, row.unit, row.against];
  if (figures instanceof NotAvailable) {
    return [...about, "", "", "", toReach(row), `not available: ${figures.message}`];
  }
  const { baseline, product, ratio } = figures;
  const reached = isReached(row, figures);
  return [
    ...about,
    ...[baseline, product].map(short),
    ratio.toFixed(2),
    toReach(row),
    reached === undefined ? "" : reached ? "reached" : "short",
  ];
}

function toReach({ goal, unit, lessIsBetter }: Row): string {
  if (goal === undefined) return "";
  const sign = lessIsBetter ? "<=" : ">=";
  if ("ratio" in goal) return `${sign} ${ratioOf(goal.ratio)}`;
  if ("figure" in goal) return `${sign} ${short(goal.figure)} ${unit}`;
  return `${sign} +${goal.difference} ${unit}`;
}

/** Three digits, and thousands or millions. */
function short(n: number): string {
  const [divisor, suffix] = n >= 999_500 ? [1e6, "M"] : n >= 9_995 ? [1e3, "k"] : [1, ""];
  const scaled = n / divisor;
  return `${scaled.toFixed(scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0)}${suffix}`;
}

function ratioOf(ratio: number | Record<Runtime, number>): number {
  return typeof ratio === "object" ? ratio[runtime] : ratio;
}

/** Whether a row is as it should be; `undefined` when nothing is said about that. */
function isReached(
  { goal, lessIsBetter }: Row,
  { baseline, product, ratio }: Figures,
): boolean | undefined {
  if (goal === undefined) return undefined;
  const [got, wanted] = "ratio" in goal
    ? [ratio, ratioOf(goal.ratio)]
    : "figure" in goal
    ? [product, goal.figure]
    : [product - baseline, goal.difference];
  return lessIsBetter ? got <= wanted : got >= wanted;
}

export function json(about: About, outcomes: Outcome[]): string {
  const rows = outcomes.map(({ row, figures }) => {
    const { name, against, unit, lessIsBetter = false } = row;
    return {
      ...{ name, against, unit, lessIsBetter, toReach: toReach(row) },
      ...figures instanceof NotAvailable
        ? { notAvailable: figures.message }
        : { ...figures, reached: isReached(row, figures) },
    };
  });
  return `${JSON.stringify({ ...about, rows }, null, 2)}\n`;
}
