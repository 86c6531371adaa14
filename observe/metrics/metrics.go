// Package metrics offers what the process counts to Prometheus.
//
// Numbers are kept where they arise, as plain atomic integers; a scrape asks
// for them. So a request or a commit pays for a few additions and no more, and
// a metric that nobody scrapes costs nothing. Requests does the counting for
// HTTP; everything else is a Group that somebody adds to a Registry.
//
// It promises that each metric is described before it has a value, so that the
// documentation can be held against what there is (Registry.Families), and
// that the number of series is bounded by what its callers bound: no label
// takes its value from a client, but for the backlog, which has a limit.
//
// It knows nothing of queues, HTTP fronts or stores. Start reading at Registry.
package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"zaqar/internal/histogram"
)

// Type is what a metric means to Prometheus.
type Type string

// The types.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Family describes one metric.
type Family struct {
	Name   string
	Type   Type
	Help   string // with the unit
	Labels []string
	// Scale is what the values of a histogram are multiplied with to get the
	// unit in the name; 0 is 1.
	Scale float64
}

// Seconds is the scale of histograms that count nanoseconds.
const Seconds = 1e-9

// Registry is a set of metrics. Groups are added before it serves.
type Registry struct {
	registry *prometheus.Registry
	groups   []*group
	log      *slog.Logger
}

// New returns a registry with the metrics of the Go runtime and the process.
// log gets what fails at a scrape.
func New(log *slog.Logger) *Registry {
	r := &Registry{registry: prometheus.NewRegistry(), log: log}
	r.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Add adds metrics that collect gives the values of at each scrape. It panics
// if a name is taken or malformed. collect may be called concurrently.
func (r *Registry) Add(families []Family, collect func(*Values)) {
	g := &group{families: families, descs: map[string]described{}, collect: collect}
	for _, f := range families {
		if f.Scale == 0 {
			f.Scale = 1
		}
		g.descs[f.Name] = described{f, prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)}
	}
	r.registry.MustRegister(g)
	r.groups = append(r.groups, g)
}

// Families lists the metrics that were added, by name.
func (r *Registry) Families() []Family {
	var all []Family
	for _, g := range r.groups {
		all = append(all, g.families...)
	}
	slices.SortFunc(all, func(x, y Family) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// How many scrapes are served at a time, and how long one may take.
const (
	scrapes    = 4
	scrapeTime = 30 * time.Second
)

// Handler serves the metrics in the formats of Prometheus and OpenMetrics.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{
		ErrorLog:            failures{r.log},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapes,
		Timeout:             scrapeTime,
		EnableOpenMetrics:   true,
	})
}

// failures logs what the handler says.
type failures struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (f failures) Println(v ...any) { f.log.Warn("metrics: " + strings.TrimSpace(fmt.Sprintln(v...))) }

// group is a collector of metrics that are asked for together.
type group struct {
	families []Family
	descs    map[string]described
	collect  func(*Values)
}

type described struct {
	Family
	desc *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (g *group) Describe(to chan<- *prometheus.Desc) {
	for _, d := range g.descs {
		to <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (g *group) Collect(to chan<- prometheus.Metric) { g.collect(&Values{g, to}) }

// Values takes the values of one scrape.
type Values struct {
	group *group
	to    chan<- prometheus.Metric
}

// Set gives a counter or gauge its value. labels are the values of its labels,
// in their order. A metric that is not in the group is a defect, and panics.
func (v *Values) Set(name string, value float64, labels ...string) {
	d := v.find(name)
	kind := prometheus.GaugeValue
	if d.Type == Counter {
		kind = prometheus.CounterValue
	}
	m, err := prometheus.NewConstMetric(d.desc, kind, value, valid(labels)...)
	v.send(d, m, err)
}

// Is sets a gauge to 1 or 0.
func (v *Values) Is(name string, is bool, labels ...string) {
	value := 0.0
	if is {
		value = 1
	}
	v.Set(name, value, labels...)
}

// Histogram gives a histogram its counts.
func (v *Values) Histogram(name string, s histogram.Snapshot, labels ...string) {
	d := v.find(name)
	buckets := make(map[float64]uint64, len(s.Bounds))
	count := uint64(0)
	for i, bound := range s.Bounds {
		count += s.Counts[i]
		buckets[float64(bound)*d.Scale] = count
	}
	m, err := prometheus.NewConstHistogram(d.desc, s.Count(), float64(s.Sum)*d.Scale, buckets, valid(labels)...)
	v.send(d, m, err)
}

func (v *Values) find(name string) described {
	d, ok := v.group.descs[name]
	if !ok {
		panic("metrics: " + name + " is not in this group")
	}
	return d
}

func (v *Values) send(d described, m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(d.desc, err)
	}
	v.to <- m
}

// valid makes texts fit for labels.
func valid(labels []string) []string {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	return labels
}
