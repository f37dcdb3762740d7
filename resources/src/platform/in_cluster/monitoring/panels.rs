//! Grafana's dashboards as data.
//! Source: <https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/>

use serde_json::{Value, json};

/// The columns of a dashboard.
const COLUMNS: u32 = 24;

/// One picture.
pub(super) struct Panel {
    pub title: &'static str,
    /// What it shows, and what it needs.
    pub about: String,
    /// Grafana's name of the unit: `short`, `bytes`, `currencyUSD`.
    pub unit: &'static str,
    /// Lines over time, or the last value alone.
    pub kind: Kind,
    /// How many of the 24 columns it has.
    pub width: u32,
    /// Queries with their legends.
    pub queries: Vec<(String, &'static str)>,
}

/// How values are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lines,
    Stacked,
    Number,
}

impl Kind {
    fn name(self) -> &'static str {
        if self == Self::Number { "stat" } else { "timeseries" }
    }

    fn height(self) -> u32 {
        if self == Self::Number { 4 } else { 8 }
    }
}

/// Lines over time, half a row wide.
pub(super) fn lines(
    title: &'static str,
    about: impl Into<String>,
    unit: &'static str,
    queries: Vec<(String, &'static str)>,
) -> Panel {
    let about = about.into();
    Panel { title, about, unit, kind: Kind::Lines, width: COLUMNS / 2, queries }
}

/// One number, a quarter of a row wide.
pub(super) fn number(title: &'static str, about: impl Into<String>, unit: &'static str, query: String) -> Panel {
    let about = about.into();
    Panel { title, about, unit, kind: Kind::Number, width: COLUMNS / 4, queries: vec![(query, "")] }
}

/// A dashboard: its identity, what it is called, and sections of panels, from top to bottom.
pub(super) fn dashboard(uid: &str, title: &str, sections: &[(&str, Vec<Panel>)]) -> Value {
    let (mut panels, mut y) = (Vec::new(), 0);
    for (heading, section) in sections.iter().filter(|(_, section)| !section.is_empty()) {
        panels.push(json!({
            "id": panels.len() + 1, "type": "row", "title": heading, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }));
        y += 1;
        let (mut x, mut tallest) = (0, 0);
        for one in section {
            if x + one.width > COLUMNS {
                (x, y, tallest) = (0, y + tallest, 0);
            }
            panels.push(panel(one, panels.len() + 1, x, y));
            x += one.width;
            tallest = tallest.max(one.kind.height());
        }
        y += tallest;
    }
    json!({
        "uid": uid, "title": title, "tags": ["rayplat", "ray"], "schemaVersion": 39, "editable": true,
        "time": {"from": "now-6h", "to": "now"}, "refresh": "30s",
        // Whatever the data source is called.
        "templating": {"list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    })
}

fn panel(panel: &Panel, id: usize, x: u32, y: u32) -> Value {
    let source = json!({"type": "prometheus", "uid": "${datasource}"});
    let targets: Vec<Value> = panel
        .queries
        .iter()
        .zip('A'..='Z')
        .map(|((query, legend), letter)| {
            json!({"refId": letter.to_string(), "datasource": source, "expr": query, "legendFormat": legend, "range": true})
        })
        .collect();
    let stacking = if panel.kind == Kind::Stacked { "normal" } else { "none" };
    json!({
        "id": id, "type": panel.kind.name(), "title": panel.title, "description": panel.about, "datasource": source,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.kind.height()},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": {"stacking": {"mode": stacking}}}, "overrides": []},
        "targets": targets,
    })
}
