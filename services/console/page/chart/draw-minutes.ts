import { BarChart, type BarSeriesOption } from "echarts/charts";
import {
  GridComponent,
  TitleComponent,
  TooltipComponent,
  type GridComponentOption,
  type TitleComponentOption,
  type TooltipComponentOption,
} from "echarts/components";
import { init, use, type ComposeOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { Minute } from "../feed/nation.ts";
import type { Format } from "../view/format.ts";

use([BarChart, GridComponent, TitleComponent, TooltipComponent, SVGRenderer]);

type Option = ComposeOption<
  BarSeriesOption | GridComponentOption | TitleComponentOption | TooltipComponentOption
>;
type Kind = "calls" | "intercepted";

/** A chart in its place on the page. */
export interface MinutesDrawing {
  readonly show: (minutes: readonly Minute[], words: Record<Kind, string>, format: Format) => void;
  readonly end: () => void;
}

const kinds: readonly Kind[] = ["calls", "intercepted"];
const minutesBetweenTimes = 15;

/** Draws into the element, in the colours that the page's style gives it there, and follows its size. */
export function drawMinutes(element: HTMLElement): MinutesDrawing {
  const chart = init(element, undefined, { renderer: "svg" });
  const style = getComputedStyle(element);
  const colours = {
    calls: style.getPropertyValue("--calls"),
    intercepted: style.getPropertyValue("--intercepted"),
    text: style.getPropertyValue("--quiet"),
    line: style.getPropertyValue("--line"),
    card: style.getPropertyValue("--card"),
    ink: style.getPropertyValue("--ink"),
  };
  const follower = new ResizeObserver(() => chart.resize());
  follower.observe(element);
  return {
    show: (minutes, words, format) => {
      chart.setOption(option(minutes, words, format, colours, style.fontFamily));
    },
    end: () => {
      follower.disconnect();
      chart.dispose();
    },
  };
}

type Colours = Record<Kind | "text" | "line" | "card" | "ink", string>;

function option(
  minutes: readonly Minute[],
  words: Record<Kind, string>,
  format: Format,
  colours: Colours,
  fontFamily: string,
): Option {
  const times = minutes.map(({ minute }) => format.moment(minute, minute));
  const isTime = (index: number) => {
    const moment = minutes[index]?.minute ?? 0;
    return Math.floor(moment / 60_000) % minutesBetweenTimes === 0;
  };
  const small = { color: colours.text, fontSize: 11, fontFamily };
  return {
    // A bar that grows each second needs no film of it, and a page that is open all day no load.
    animation: false,
    title: kinds.map((kind, index) => ({
      text: words[kind],
      left: 0,
      top: index === 0 ? 4 : "52%",
      padding: 0,
      textStyle: { ...small, fontWeight: "normal", fontSize: 12 },
    })),
    grid: kinds.map((_kind, index) => ({
      left: 42,
      right: 4,
      top: index === 0 ? 28 : "62%",
      height: "30%",
    })),
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "shadow" },
      backgroundColor: colours.card,
      borderColor: colours.line,
      textStyle: { color: colours.ink, fontFamily, fontSize: 12 },
      valueFormatter: (value) => format.count(Number(value)),
    },
    xAxis: kinds.map((_kind, index) => ({
      type: "category",
      gridIndex: index,
      data: times,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: colours.line } },
      axisLabel: { ...small, show: index === 1, interval: isTime, showMaxLabel: false },
    })),
    yAxis: kinds.map((_kind, index) => ({
      type: "value",
      gridIndex: index,
      minInterval: 1,
      splitNumber: 2,
      axisLabel: { ...small, formatter: (value: number) => format.count(value) },
      splitLine: { lineStyle: { color: colours.line } },
    })),
    series: kinds.map((kind, index) => ({
      type: "bar",
      name: words[kind],
      xAxisIndex: index,
      yAxisIndex: index,
      data: minutes.map((minute, place) => ({
        value: minute[kind],
        // The running minute is not whole yet.
        itemStyle: { opacity: place === minutes.length - 1 ? 0.45 : 1 },
      })),
      color: colours[kind],
      barCategoryGap: "25%",
    })),
  };
}
