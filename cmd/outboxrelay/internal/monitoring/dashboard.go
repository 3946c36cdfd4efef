// Package monitoring has what docs/monitoring.md is made of: the panels of the Grafana
// dashboard, and what to do when a metric rises.
//
// After a change, run the tests of cmd/outboxrelay with -update.
package monitoring

import (
	"bytes"
	"encoding/json"
)

// Panel is one panel of the dashboard.
type Panel struct {
	Title string
	// Help says what the panel shows and what to look for.
	Help string
	// Unit is Grafana's name of the unit, such as "s".
	Unit    string
	Queries []Query
	// Single shows the last value instead of a plot, with the colours of Steps.
	Single bool
	// BelowZero says that values may be negative.
	BelowZero bool
	Steps     []Step
}

// Query is one query of a panel.
type Query struct {
	Expr   string
	Legend string
}

// Step gives values from From on a colour. The first step of a panel has no From.
type Step struct {
	From  *float64
	Color string
}

// Row is a titled group of panels.
type Row struct {
	Title  string
	Panels []Panel
}

const (
	columns       = 24 // of Grafana's grid
	singleColumns = 4
	singleLines   = 4
	plotColumns   = 8
	plotLines     = 8
)

type object = map[string]any

// datasource refers to the variable that selects the Prometheus server.
var datasource = object{"type": "prometheus", "uid": "${datasource}"}

// Dashboard returns the dashboard as Grafana imports it.
func Dashboard(rows []Row) ([]byte, error) {
	var panels []object
	top := 0
	for _, row := range rows {
		panels = append(panels, object{
			"type": "row", "title": row.Title, "collapsed": false, "panels": []any{},
			"gridPos": object{"x": 0, "y": top, "w": columns, "h": 1},
		})
		top++
		left, lines := 0, 0
		for _, p := range row.Panels {
			width, height := plotColumns, plotLines
			if p.Single {
				width, height = singleColumns, singleLines
			}
			if left+width > columns || lines > 0 && height != lines {
				left, top = 0, top+lines
			}
			lines = height
			panels = append(panels, p.json(object{"x": left, "y": top, "w": width, "h": height}))
			left += width
		}
		top += lines
	}
	for i, p := range panels {
		p["id"] = i + 1
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(object{
		"uid": "outboxgen", "title": "Outbox", "tags": []string{"outbox", "kafka"},
		"description":   "Relays and consumers of transactional outboxes",
		"schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1,
		"timezone": "browser", "refresh": "10s", "time": object{"from": "now-1h", "to": "now"},
		"templating": object{"list": []object{
			{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
			variable("outbox", "Outbox", "label_values(outbox_relay_leader, outbox)"),
			variable("group", "Consumer group", "label_values(outbox_consumer_ready, group)"),
		}},
		"panels": panels,
	})
	return out.Bytes(), err
}

func variable(name, label, query string) object {
	return object{
		"name": name, "label": label, "type": "query", "datasource": datasource,
		"query": object{"query": query, "refId": name}, "definition": query,
		"refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*",
		"current": object{"text": []string{"All"}, "value": []string{"$__all"}},
	}
}

func (p Panel) json(place object) object {
	var targets []object
	for i, q := range p.Queries {
		targets = append(targets, object{
			"refId": string(rune('A' + i)), "datasource": datasource, "expr": q.Expr, "legendFormat": q.Legend,
			"instant": p.Single, "range": !p.Single, // a value of the past must not look like one of now
		})
	}
	defaults := object{"unit": p.Unit}
	if p.Steps != nil {
		var steps []object
		for _, s := range p.Steps {
			steps = append(steps, object{"value": s.From, "color": s.Color})
		}
		defaults["thresholds"] = object{"mode": "absolute", "steps": steps}
	}
	kind, options := "timeseries", object{"legend": object{"displayMode": "list", "placement": "bottom"}, "tooltip": object{"mode": "multi"}}
	if p.Single {
		kind, options = "stat", object{"colorMode": "background", "reduceOptions": object{"calcs": []string{"lastNotNull"}}}
		defaults["noValue"] = "unknown"
	} else {
		if !p.BelowZero {
			defaults["min"] = 0
		}
		defaults["custom"] = object{"fillOpacity": 8, "showPoints": "never"}
	}
	return object{
		"type": kind, "title": p.Title, "description": p.Help, "datasource": datasource,
		"gridPos": place, "targets": targets, "options": options,
		"fieldConfig": object{"defaults": defaults, "overrides": []any{}},
	}
}
