// Prometheus' own engine on pages of metrics, so that tests can see which alerts fire.
//
//	run RULES     the rules are read as Prometheus reads them; a fault ends with 1
//
// A line of standard input is a scrape: {"at": 15, "page": "..."}, "at" in seconds of a time that
// the test makes up; without "page" the target did not answer. At the end each rule is evaluated
// as if every 15 s; what held for the rule's `for` up to the last scrape fires:
//
//	[{"alert": "TenantryDown", "labels": {...}, "summary": "..."}, ...]
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sort"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/template"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

const step = 15 * time.Second

// chunks.Sample of a plain number.
type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) F() float64                    { return s.v }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// Every series that was scraped, by its labels as text.
type memory struct {
	series map[string]*one
	last   int64
}

type one struct {
	labels labels.Labels
	points []chunks.Sample
}

func (m *memory) add(l labels.Labels, at int64, value float64) {
	s := m.series[l.String()]
	if s == nil {
		s = &one{labels: l}
		m.series[l.String()] = s
	}
	s.points = append(s.points, sample{at, value})
}

func (m *memory) scrape(at int64, page *string) error {
	target := labels.NewBuilder(labels.FromStrings("instance", "one", "job", "tenantry"))
	up := target.Set(labels.MetricName, "up").Labels()
	m.last = at
	if page == nil {
		m.add(up, at, 0)
		return nil
	}
	m.add(up, at, 1)
	p := textparse.NewPromParser([]byte(*page), labels.NewSymbolTable(), false)
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the page at %d s: %w", at/1000, err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var l labels.Labels
		p.Labels(&l)
		_, _, value := p.Series()
		m.add(labels.NewBuilder(l).Set("instance", "one").Set("job", "tenantry").Labels(), at, value)
	}
}

// storage.Queryable and storage.Querier.
func (m *memory) Querier(int64, int64) (storage.Querier, error) { return m, nil }
func (m *memory) Close() error                                  { return nil }

func (m *memory) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (m *memory) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (m *memory) Select(_ context.Context, _ bool, _ *storage.SelectHints, wanted ...*labels.Matcher) storage.SeriesSet {
	found := &set{}
	for _, s := range m.series {
		if matches(s.labels, wanted) {
			found.all = append(found.all, storage.NewListSeries(s.labels, s.points))
		}
	}
	sort.Slice(found.all, func(i, j int) bool { return labels.Compare(found.all[i].Labels(), found.all[j].Labels()) < 0 })
	return found
}

func matches(l labels.Labels, wanted []*labels.Matcher) bool {
	for _, w := range wanted {
		if !w.Matches(l.Get(w.Name)) {
			return false
		}
	}
	return true
}

type set struct {
	all []storage.Series
	n   int
}

func (s *set) Next() bool                        { s.n++; return s.n <= len(s.all) }
func (s *set) At() storage.Series                { return s.all[s.n-1] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

type alert struct {
	Alert   string            `json:"alert"`
	Labels  map[string]string `json:"labels"`
	Summary string            `json:"summary"`
}

func main() {
	fired, err := run(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(fired)
}

func run(file string) ([]alert, error) {
	groups, faults := rulefmt.ParseFile(file, false, model.UTF8Validation)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	m := &memory{series: map[string]*one{}}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for decoder := json.NewDecoder(in); ; {
		var line struct {
			At   float64
			Page *string
		}
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if err := m.scrape(int64(line.At*1000), line.Page); err != nil {
			return nil, err
		}
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 50_000_000, Timeout: time.Minute})
	fired := []alert{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			some, err := evaluate(engine, m, r)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Alert, err)
			}
			fired = append(fired, some...)
		}
	}
	return fired, nil
}

// What held at every evaluation of the rule's `for`.
func evaluate(engine *promql.Engine, m *memory, r rulefmt.Rule) ([]alert, error) {
	var last promql.Vector
	held := map[string]int{}
	evaluations := 0
	for back := time.Duration(r.For); back >= 0; back -= step {
		at := time.UnixMilli(m.last).Add(-back)
		now, err := ask(engine, m, r.Expr, at)
		if err != nil {
			return nil, err
		}
		evaluations++
		for _, s := range now {
			held[s.Metric.String()]++
		}
		last = now
	}
	fired := []alert{}
	for _, s := range last {
		if held[s.Metric.String()] < evaluations {
			continue
		}
		summary, err := expand(engine, m, r, s)
		if err != nil {
			return nil, err
		}
		fired = append(fired, alert{r.Alert, s.Metric.Map(), summary})
	}
	return fired, nil
}

func ask(engine *promql.Engine, m *memory, expr string, at time.Time) (promql.Vector, error) {
	query, err := engine.NewInstantQuery(context.Background(), m, nil, expr, at)
	if err != nil {
		return nil, err
	}
	result := query.Exec(context.Background())
	if result.Err != nil {
		return nil, result.Err
	}
	vector, err := result.Vector()
	return append(promql.Vector(nil), vector...), err
}

func expand(engine *promql.Engine, m *memory, r rulefmt.Rule, s promql.Sample) (string, error) {
	data := template.AlertTemplateData(s.Metric.Map(), nil, "", s)
	text := "{{$labels := .Labels}}{{$value := .Value}}" + r.Annotations["summary"]
	ask := func(_ context.Context, q string, at time.Time) (promql.Vector, error) { return ask(engine, m, q, at) }
	return template.NewTemplateExpander(context.Background(), text, r.Alert, data,
		model.TimeFromUnix(m.last/1000), ask, &url.URL{}, nil).Expand()
}
