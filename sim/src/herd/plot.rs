//! The herd as a picture: one panel per policy, each as high as its own
//! peak: the server's capacity tells how high that is. Integers only: tenths of a pixel.

use std::fmt::{self, Display, Write};

use super::{
    Herd, Return,
    table::{seconds, thousands},
};

const WIDTH: u64 = 800;
const PANEL_HEIGHT: u64 = 130;
const PANEL_GAP: u64 = 46;
const TOP: u64 = 142;
const LEFT: u64 = 66;
const RIGHT: u64 = 16;
const BOTTOM: u64 = 50;
const PLOT_WIDTH: u64 = WIDTH - LEFT - RIGHT;
/// More columns than this are put together, each as high as its highest second.
const MAX_COLUMNS: usize = 718;

/// Both schemes. The colours are told apart by those who see no red or no green, and each is named.
const STYLE: &str = "
  svg { --ground: #ffffff; --ink: #1f2328; --faint: #59636e; --line: #d1d9e0;
        --served: #2f6fb3; --refused: #d9822b; --capacity: #1f2328; --mark: #6e7781; }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #0d1117; --ink: #e6edf3; --faint: #9198a1; --line: #30363d;
          --served: #5aa2ea; --refused: #f0a04b; --capacity: #e6edf3; --mark: #8b949e; }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink); }
  .title { font-size: 16px; font-weight: 600; }
  .panel { font-size: 13px; font-weight: 600; }
  .faint { fill: var(--faint); }
  .end { text-anchor: end; }
  .middle { text-anchor: middle; }
  .ground { fill: var(--ground); }
  .grid { stroke: var(--line); stroke-width: 1; }
  .served { fill: var(--served); }
  .refused { fill: var(--refused); }
  .capacity { stroke: var(--capacity); stroke-width: 1.2; stroke-dasharray: 5 4; }
  .mark { stroke: var(--mark); stroke-width: 1.2; }
";

impl Herd {
    /// A self-contained SVG, light and dark: for each policy the requests that reach the server in each
    /// second after the outage, those that it turns away, and when everything was through.
    #[must_use]
    pub fn svg(&self) -> String {
        let seconds = self.seconds();
        let panels = self.returns.len() as u64;
        let height = TOP + panels * (PANEL_HEIGHT + PANEL_GAP) - PANEL_GAP + BOTTOM;
        let mut svg = String::new();
        let size = format!(r#"viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}""#);
        let label = r#"role="img" aria-label="The return of a herd""#;
        put(&mut svg, format_args!(r#"<svg xmlns="http://www.w3.org/2000/svg" {size} {label}>"#));
        put(&mut svg, format_args!("<style>{STYLE}</style>"));
        put(&mut svg, format_args!(r#"<rect class="ground" width="{WIDTH}" height="{height}"/>"#));
        self.head(&mut svg);
        for (at, row) in self.returns.iter().enumerate() {
            let top = TOP + at as u64 * (PANEL_HEIGHT + PANEL_GAP);
            let capacity = self.options.capacity_per_s.into();
            Scale::of(seconds, row, capacity).panel(&mut svg, row, top, capacity);
        }
        let middle = LEFT + PLOT_WIDTH / 2;
        text(&mut svg, "faint middle", middle, height - 12, "seconds since the end of the outage");
        svg.push_str("</svg>\n");
        svg
    }

    /// How long there is something to show.
    fn seconds(&self) -> u64 {
        let lengths = self.returns.iter().map(|row| row.arrivals_per_s.len() as u64);
        let drained = self.returns.iter().filter_map(|row| row.drained_ms).map(|ms| ms.div_ceil(1_000));
        lengths.chain(drained).max().unwrap_or_default().max(10)
    }

    fn head(&self, svg: &mut String) {
        text(svg, "title", 16, 26, "The return of a herd");
        for (words, y) in self.options.words().iter().zip([46, 63, 80]) {
            text(svg, "faint", 16, y, words);
        }
        put(svg, format_args!(r#"<rect class="served" x="16" y="92" width="12" height="12"/>"#));
        text(svg, "", 33, 102, "taken, requests/s");
        put(svg, format_args!(r#"<rect class="refused" x="148" y="92" width="12" height="12"/>"#));
        text(svg, "", 165, 102, "turned away, requests/s");
        line(svg, "capacity", [318, 344], [98, 98]);
        text(svg, "", 350, 102, "capacity");
        line(svg, "mark", [416, 416], [91, 105]);
        text(svg, "", 423, 102, "50 %, 99 %, all through");
        text(svg, "faint end", WIDTH - RIGHT, 102, "each panel has a scale of its own");
    }
}

/// The axes of a panel; that of time is the same in all.
struct Scale {
    /// Seconds on the x axis, and between its ticks.
    seconds: u64,
    tick_s: u64,
    /// Requests a second on the y axis, and between its ticks.
    top: u64,
    tick: u64,
}

impl Scale {
    fn of(seconds: u64, row: &Return, capacity: u64) -> Self {
        let peak = u64::from(row.peak_per_s).max(capacity).max(4);
        let tick = round_up(peak.div_ceil(4));
        Self { seconds, tick_s: round_up(seconds.div_ceil(8)), top: peak.div_ceil(tick) * tick, tick }
    }

    /// Tenths of a pixel.
    fn x(&self, ms: u64) -> u64 {
        LEFT * 10 + ms * PLOT_WIDTH * 10 / (self.seconds * 1_000)
    }

    fn y(&self, top: u64, requests: u64) -> u64 {
        (top + PANEL_HEIGHT) * 10 - requests * PANEL_HEIGHT * 10 / self.top
    }

    fn panel(&self, svg: &mut String, row: &Return, top: u64, capacity: u64) {
        let jitter = if row.policy.jitter { "jitter" } else { "no jitter" };
        let slow = if row.policy.slow_start { "slow start" } else { "no slow start" };
        let (title, right) = (top - 10, WIDTH - RIGHT);
        text(svg, "panel", LEFT, title, &format!("{jitter}, {slow}"));
        let figures = format!(
            "peak {}/s · {} requests, {} turned away · all through after {}",
            thousands(row.peak_per_s.into()),
            thousands(row.requests),
            thousands(row.refusals),
            seconds(row.drained_ms),
        );
        text(svg, "faint end", right, title, &figures);
        self.axes(svg, top);
        self.columns(svg, row, top);
        line(svg, "capacity", [LEFT, right].map(Tenths::of), [Tenths(self.y(top, capacity)); 2]);
        for at_ms in [row.drained_50_ms, row.drained_99_ms, row.drained_ms].into_iter().flatten() {
            line(svg, "mark", [Tenths(self.x(at_ms)); 2], [top, top + PANEL_HEIGHT].map(Tenths::of));
        }
    }

    fn axes(&self, svg: &mut String, top: u64) {
        for requests in (0..=self.top).step_by(self.tick as usize) {
            let y = self.y(top, requests);
            line(svg, "grid", [LEFT, WIDTH - RIGHT].map(Tenths::of), [Tenths(y); 2]);
            text(svg, "faint end", LEFT - 8, Tenths(y + 40), &thousands(requests));
        }
        for second in (0..=self.seconds).step_by(self.tick_s as usize) {
            let x = Tenths(self.x(second * 1_000));
            text(svg, "faint middle", x, top + PANEL_HEIGHT + 16, &thousands(second));
        }
    }

    /// One column per second, or per several; what was turned away on top of what was taken.
    fn columns(&self, svg: &mut String, row: &Return, top: u64) {
        let (mut taken, mut refused) = (String::new(), String::new());
        let together = (self.seconds as usize).div_ceil(MAX_COLUMNS);
        let seconds = row.arrivals_per_s.iter().zip(&row.refusals_per_s).collect::<Vec<_>>();
        for (at, chunk) in seconds.chunks(together).enumerate() {
            let Some(&(&all, &away)) = chunk.iter().max() else { continue };
            let from_ms = (at * together) as u64 * 1_000;
            let (x, end) = (self.x(from_ms), self.x(from_ms + together as u64 * 1_000));
            let base = self.y(top, 0);
            let middle = self.y(top, u64::from(all - away));
            let high = self.y(top, all.into());
            column(&mut taken, x, end, middle, base);
            column(&mut refused, x, end, high, middle);
        }
        put(svg, format_args!(r#"<path class="served" d="{taken}"/>"#));
        put(svg, format_args!(r#"<path class="refused" d="{refused}"/>"#));
    }
}

fn column(path: &mut String, x: u64, end: u64, from: u64, to: u64) {
    if from < to {
        let (x, end, from, to) = (Tenths(x), Tenths(end), Tenths(from), Tenths(to));
        put(path, format_args!("M{x} {to}V{from}H{end}V{to}Z"));
    }
}

/// A length in tenths of a pixel.
#[derive(Clone, Copy)]
struct Tenths(u64);

impl Tenths {
    fn of(pixels: u64) -> Self {
        Self(pixels * 10)
    }
}

impl Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// The next of 1, 2, 5, 10, 20, 50 …
fn round_up(n: u64) -> u64 {
    let mut power = 1;
    loop {
        if let Some(round) = [1, 2, 5].into_iter().map(|step| step * power).find(|&round| round >= n) {
            return round;
        }
        power *= 10;
    }
}

fn text(svg: &mut String, class: &str, x: impl Display, y: impl Display, words: &str) {
    put(svg, format_args!(r#"<text class="{class}" x="{x}" y="{y}">{words}</text>"#));
}

fn line(svg: &mut String, class: &str, [x, to_x]: [impl Display; 2], [y, to_y]: [impl Display; 2]) {
    put(svg, format_args!(r#"<line class="{class}" x1="{x}" x2="{to_x}" y1="{y}" y2="{to_y}"/>"#));
}

fn put(svg: &mut String, line: fmt::Arguments<'_>) {
    svg.write_fmt(line).expect("a string takes everything");
    svg.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!([0, 1, 3, 6, 11, 2_000, 2_001].map(round_up), [1, 1, 5, 10, 20, 2_000, 5_000]);
        assert_eq!([Tenths(0), Tenths(1_234)].map(|tenths| tenths.to_string()), ["0.0", "123.4"]);
    }
}
