package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/monitoring"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	consumermetrics "github.com/outboxgen/outboxgen/runtime/consume/kafka/metrics"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

var recordPicture = flag.Duration("picture", 0, "run a relay for this `time`, and draw docs/images/dashboard.svg")

const dashboardPicture = "../../docs/images/dashboard.svg"

// The picture in docs/monitoring.md has each panel of the dashboard.
func TestTheDashboardPictureIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(dashboardPicture)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range monitoring.Rows() {
		for _, p := range row.Panels {
			if !strings.Contains(string(text), ">"+xmlText(p.Title)+"</text>") {
				t.Errorf("docs/images/dashboard.svg does not show %q; go test ./cmd/outboxrelay -run TestRecordTheDashboardPicture -picture 4m draws it", p.Title)
			}
		}
	}
}

// With -picture, a relay and a consumer work on real servers, and a real Prometheus reads
// their metrics. Kafka is stopped for a quarter of the time, a topic is missing, and the
// rows of another are rejected. The picture shows what the queries of the dashboard return.
func TestRecordTheDashboardPicture(t *testing.T) {
	if *recordPicture == 0 {
		t.Skip("-picture 4m draws the picture")
	}
	pg, k := services.Postgres(t), services.KFake(t)
	migrate(t, pg.URL)
	k.CreateTopic(t, "shop.order_placed.v1", 3)
	k.CreateTopic(t, "shop.order_paid.v1", 3)
	k.Fake.Fault(t, services.Fault{Request: kmsg.Produce, Topic: "shop.order_paid.v1", Err: kerr.MessageTooLarge, Lasting: true})

	relayed := startFleet(t, fmt.Sprintf("brokers: [%s]\nmax_attempts: 2\noutboxes:\n  - {name: shop, database_url: %q}\n", strings.Join(k.Brokers, ", "), pg.URL))
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(relayed.fleet).ServeHTTP(w, r) }))
	t.Cleanup(relay.Close)
	registry := prometheus.NewRegistry()
	consumer := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(consumer.Close)
	consumeOrders(t, k, registry)
	p := startPrometheus(t, relay, consumer)
	until(t, "Prometheus answers", func() bool { return p.get(t, "/api/v1/query?query=up", &struct{}{}) })

	begin := time.Now()
	insertOrders(t, pg, k, *recordPicture)
	drawing := picture{prometheus: p, from: begin, to: time.Now()}
	if err := os.WriteFile(dashboardPicture, []byte(drawing.draw(t)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// consumeOrders runs a consumer, in which some attempts fail, until the test ends.
func consumeOrders(t *testing.T, k *services.KafkaCluster, registry *prometheus.Registry) {
	t.Helper()
	m := consumermetrics.New("mailer")
	registry.MustRegister(m)
	router := consume.NewRouter()
	attempts := 0
	router.Handle("shop.order_placed.v1", func(context.Context, consume.Message) error {
		if attempts++; attempts%50 == 0 {
			return fmt.Errorf("the mail server is busy")
		}
		return nil
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- kafka.Run(ctx, kafka.Config{
			Brokers: k.Brokers, Group: "mailer", Topics: []string{"shop.order_placed.v1"}, Router: router,
			Observer: m, Logger: slog.New(slog.DiscardHandler),
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// insertOrders inserts events for a time: of each 20, one is for a topic that rejects it;
// some are for a topic that is missing. Kafka is stopped in the second quarter.
func insertOrders(t *testing.T, pg *services.PG, k *services.KafkaCluster, length time.Duration) {
	t.Helper()
	insert := func(topic string, rows int) {
		if _, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			SELECT i, 'order', 'shop.order_placed.v1', $1, (i % 20)::text, '{}' FROM generate_series(1, $2::int) i`, topic, rows); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox_delayed (id, aggregate_type, aggregate_id, event_type, topic, event_data, deliver_at)
		SELECT gen_random_uuid(), 'order', i, 'shop.reminder.v1', 'shop.order_placed.v1', '{}', now() + i * interval '20 s' FROM generate_series(1, 20) i`); err != nil {
		t.Fatal(err)
	}
	insert("shop.order_place.v1", 3)
	const step = 250 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	steps := int(length / step)
	for i := range steps {
		<-tick.C
		insert("shop.order_placed.v1", 20+int(10*math.Sin(float64(i)/15)))
		if i%100 == 30 {
			insert("shop.order_paid.v1", 1)
		}
		switch i {
		case steps / 4:
			if err := k.Stop(); err != nil {
				t.Fatal(err)
			}
		case steps / 2:
			if err := k.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// picture draws the panels of the dashboard from what a Prometheus returns.
type picture struct {
	prometheus *promServer
	from, to   time.Time
}

// line is one result of a query.
type line struct {
	legend string
	points [][2]float64 // seconds since the beginning, and the value
}

// query returns the lines of a query, at one time or over the whole time.
func (p picture) query(t *testing.T, q monitoring.Query, single bool) []line {
	t.Helper()
	expr := strings.NewReplacer("$outbox", ".*", "$group", ".*", "$__rate_interval", "5s").Replace(q.Expr)
	path := fmt.Sprintf("/api/v1/query_range?query=%s&start=%d&end=%d&step=1", url.QueryEscape(expr), p.from.Unix(), p.to.Unix())
	if single {
		path = fmt.Sprintf("/api/v1/query?query=%s&time=%d", url.QueryEscape(expr), p.to.Unix())
	}
	var data struct {
		Result []struct {
			Metric map[string]string
			Values [][2]any
			Value  [2]any
		}
	}
	if !p.prometheus.get(t, path, &data) {
		t.Fatalf("Prometheus does not answer %s", expr)
	}
	var lines []line
	for _, r := range data.Result {
		legend := q.Legend
		for name, value := range r.Metric {
			legend = strings.ReplaceAll(legend, "{{"+name+"}}", value)
		}
		l := line{legend: legend}
		values := r.Values
		if single {
			values = [][2]any{r.Value}
		}
		for _, v := range values {
			at, _ := v[0].(float64)
			text, _ := v[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
				l.points = append(l.points, [2]float64{at - float64(p.from.Unix()), value})
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// The sizes of the picture, in pixels: the dashboard has 24 columns.
const (
	pictureColumn = 50
	singleHeight  = 110
	plotHeight    = 230
	rowTitle      = 40
	panelGap      = 8
	legendLines   = 3
)

var lineColors = []string{"#2563eb", "#ea580c", "#16a34a", "#9333ea", "#dc2626", "#0891b2"}

func (p picture) draw(t *testing.T) string {
	t.Helper()
	var body strings.Builder
	top := 0
	for _, row := range monitoring.Rows() {
		fmt.Fprintf(&body, `<text x="10" y="%d" font-size="17" font-weight="bold">%s</text>`+"\n", top+27, xmlText(row.Title))
		top += rowTitle
		left, height := 0, 0
		for _, panel := range row.Panels {
			width, high := 8*pictureColumn, plotHeight
			if panel.Single {
				width, high = 4*pictureColumn, singleHeight
			}
			if left+width > 24*pictureColumn {
				left, top = 0, top+height
			}
			height = high
			fmt.Fprintf(&body, `<svg x="%d" y="%d" width="%d" height="%d">`+"\n", left, top, width-panelGap, high-panelGap)
			fmt.Fprintf(&body, `<rect width="%d" height="%d" rx="4" fill="#ffffff" stroke="#d1d5db"/>`+"\n", width-panelGap, high-panelGap)
			fmt.Fprintf(&body, `<text x="10" y="20" font-weight="bold">%s</text>`+"\n", xmlText(panel.Title))
			if panel.Single {
				p.drawValue(t, &body, panel, width-panelGap, high-panelGap)
			} else {
				p.drawLines(t, &body, panel, width-panelGap, high-panelGap)
			}
			body.WriteString("</svg>\n")
			left += width
		}
		top += height
	}
	width := 24 * pictureColumn
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12" fill="#1f2937">`+"\n"+
		`<rect width="%d" height="%d" fill="#f3f4f6"/>`+"\n%s</svg>\n", width, top+10, width, top+10, width, top+10, body.String())
}

// drawValue draws the last value, in the colour of its step.
func (p picture) drawValue(t *testing.T, b *strings.Builder, panel monitoring.Panel, width, height int) {
	t.Helper()
	value, text := 0.0, "unknown"
	for _, l := range p.query(t, panel.Queries[0], true) {
		for _, point := range l.points {
			value, text = point[1], inUnit(point[1], panel.Unit)
		}
	}
	color := panel.Steps[0].Color
	for _, s := range panel.Steps[1:] {
		if value >= *s.From {
			color = s.Color
		}
	}
	shade := map[string]string{"green": "#15803d", "orange": "#c2410c", "red": "#b91c1c"}[color]
	fmt.Fprintf(b, `<rect x="10" y="32" width="%d" height="%d" rx="3" fill="%s"/>`+"\n", width-20, height-42, shade)
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="26" fill="#ffffff" text-anchor="middle">%s</text>`+"\n", width/2, 32+(height-42)/2+9, xmlText(text))
}

// drawLines draws the values over time, with their scale and a legend.
func (p picture) drawLines(t *testing.T, b *strings.Builder, panel monitoring.Panel, width, height int) {
	t.Helper()
	var lines []line
	least, most := 0.0, 0.0
	for _, q := range panel.Queries {
		for _, l := range p.query(t, q, false) {
			lines = append(lines, l)
			for _, point := range l.points {
				least, most = min(least, point[1]), max(most, point[1])
			}
		}
	}
	if most == least {
		most = least + 1
	}
	const left, top, right = 62, 34, 12
	bottom := height - 18 - 15*legendLines
	seconds := p.to.Sub(p.from).Seconds()
	x := func(at float64) float64 { return left + at/seconds*float64(width-left-right) }
	y := func(v float64) float64 { return float64(bottom) - (v-least)/(most-least)*float64(bottom-top) }
	for i := range 3 {
		v := least + (most-least)*float64(i)/2
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#e5e7eb"/><text x="%d" y="%.1f" text-anchor="end" font-size="11">%s</text>`+"\n",
			left, width-right, y(v), y(v), left-6, y(v)+4, xmlText(inUnit(v, panel.Unit)))
	}
	for minute := 0; float64(minute)*60 <= seconds; minute++ {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" font-size="11" text-anchor="middle">%d:00</text>`+"\n", x(float64(minute)*60), bottom+14, minute)
	}
	for i, l := range lines {
		color := lineColors[i%len(lineColors)]
		var path strings.Builder
		for j, point := range l.points {
			command := "L"
			if j == 0 || point[0]-l.points[j-1][0] > 1.5 {
				command = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", command, x(point[0]), y(point[1]))
		}
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", path.String(), color)
		if i < 2*legendLines {
			at, line := left+(i/legendLines)*(width-left)/2, bottom+30+15*(i%legendLines)
			fmt.Fprintf(b, `<rect x="%d" y="%d" width="10" height="3" fill="%s"/><text x="%d" y="%d" font-size="11">%s</text>`+"\n", at, line-5, color, at+14, line, xmlText(l.legend))
		}
	}
}

// inUnit returns a value as Grafana shows it.
func inUnit(v float64, unit string) string {
	switch {
	case unit == "s" && math.Abs(v) < 1 && v != 0:
		return fmt.Sprintf("%.3g ms", v*1000)
	case unit == "s":
		return fmt.Sprintf("%.3g s", v)
	case unit == "bytes" && math.Abs(v) >= 1<<20:
		return fmt.Sprintf("%.3g MiB", v/(1<<20))
	case unit == "bytes" && math.Abs(v) >= 1<<10:
		return fmt.Sprintf("%.3g KiB", v/(1<<10))
	case unit == "ops":
		return fmt.Sprintf("%.3g/s", v)
	case math.Abs(v) >= 1000:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func xmlText(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
