"""The colours and basic rules that every page of ours begins its style sheet with.

They are a module and not a .css file, so that a page's stage depends on them through its imports.
"""

PALETTE = """\
:root {
  color-scheme: light dark;
  --ground: #fff;
  --raised: #f5f6f8;
  --text: #1d2126;
  --quiet: #59626d;
  --line: #d5d9df;
  --accent: #1c63b0;
  --warm: #fdf0e2;
  --warm-line: #b8651b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16191d;
    --raised: #1f242a;
    --text: #e2e6eb;
    --quiet: #9ba5b1;
    --line: #363d46;
    --accent: #74b0f2;
    --warm: #38291a;
    --warm-line: #e0954f;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
body {
  margin: 0 auto;
  background: var(--ground);
  color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
"""
