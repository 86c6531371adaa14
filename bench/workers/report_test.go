package workers

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/bench/load"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Error(d)
	}
}

// finished is a run that ended, with figures that are easily told apart.
func finished(groups ...Group) *run {
	r := &run{o: Defaults()}
	r.o.Producers, r.o.Consumers, r.o.Observers = groups[0], groups[1], groups[2]
	r.o.Wait = 3 * time.Second
	r.queues = []string{"ogre-test-queue-0", "ogre-test-queue-1"}
	r.pace.begin = time.Now()
	r.pace.end = r.pace.begin.Add(r.o.Duration)
	for i, ofs := range [3][]op{{opPost}, {opClaim, opDelete}, {opList}} {
		if groups[i].connections() == 0 {
			continue
		}
		w := &worker{}
		for _, o := range ofs {
			f := new(figures)
			w.measured[o] = f
			for n := range 100 * (int(o) + 1) {
				d := time.Duration(n+1) * time.Millisecond
				f.latency.Record(d)
				f.sum += d
				f.total++
				f.ok++
				f.messages += 2
			}
		}
		r.groups[i] = []*worker{w}
		r.elapsed[i] = 5*time.Second + time.Duration(i)*time.Second
	}
	return r
}

func TestReportForPeople(t *testing.T) {
	r := finished(Group{1, 10}, Group{2, 3}, Group{1, 5})
	r.o.Rate, r.pace.rate = 30, 30
	account := &load.Account{Posted: 100, Claimed: 60, Deleted: 50, Left: 20, Expired: 30, Foreign: 4, Unsure: 1, Again: 2}
	for n := range 100 {
		account.FirstClaim.Record(time.Duration(n+1) * 10 * time.Millisecond)
	}
	var b bytes.Buffer
	if err := r.report(account, r.pace.end, false).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", b.Bytes())

	r = finished(Group{1, 10}, Group{1, 0}, Group{0, 5})
	f := r.groups[producers][0].measured[opPost]
	f.total += 7
	f.refusal = os.ErrDeadlineExceeded
	account = &load.Account{Posted: 2, Findings: load.Findings{Lost: load.Finding{Count: 2, IDs: []string{"a", "1/b"}}}}
	b.Reset()
	if err := r.report(account, r.pace.end, true).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "failed.txt", b.Bytes())
}

// TestReportKeys names every key of the JSON report in testdata/keys.txt. The
// original's are listed here too: they can never go.
func TestReportKeys(t *testing.T) {
	r := finished(Group{1, 10}, Group{1, 5}, Group{1, 5}).report(&load.Account{}, time.Time{}, false)
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b.Bytes(), []byte("\n")); n != 1 {
		t.Errorf("%d lines", n)
	}
	var doc any
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	keys := keysOf("", doc)
	slices.Sort(keys)
	golden(t, "keys.txt", []byte(strings.Join(keys, "\n")+"\n"))
	docs, err := os.ReadFile("../../docs/benchmark.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(docs), "\n## Workers\n")
	for _, key := range keys {
		for _, name := range strings.Split(key, ".") {
			if !strings.Contains(section, `"`+name+`":`) && !strings.Contains(section, "`"+name+"`") {
				t.Errorf("docs/benchmark.md does not name %q of %s", name, key)
			}
		}
	}
	for _, key := range strings.Fields(`
		producer.duration_sec producer.total_reqs producer.successful_reqs producer.reqs_per_sec producer.ms_per_req
		observer.duration_sec observer.total_reqs observer.successful_reqs observer.reqs_per_sec observer.ms_per_req
		consumer.duration_sec consumer.total_reqs consumer.claim_total_requests consumer.successful_reqs
		consumer.messages_processed consumer.reqs_per_sec consumer.ms_per_claim consumer.ms_per_delete
		params.producer.processes params.producer.workers params.consumer.processes params.consumer.workers
		params.observer.processes params.observer.workers`) {
		if !slices.Contains(keys, key) {
			t.Errorf("no %s", key)
		}
	}
}

func keysOf(prefix string, doc any) (keys []string) {
	members, ok := doc.(map[string]any)
	if !ok {
		return []string{strings.TrimPrefix(prefix, ".")}
	}
	for name, value := range members {
		keys = append(keys, keysOf(prefix+"."+name, value)...)
	}
	return keys
}

func TestReportFigures(t *testing.T) {
	r := finished(Group{1, 10}, Group{1, 5}, Group{1, 0})
	r.o.Rate, r.pace.rate = 30, 30
	rep := r.report(nil, r.pace.end, false)
	want := ProducerReport{
		Rates: Rates{Duration: 5, Requests: 100, Successful: 100, PerSecond: 20}, Mean: 50.5,
		Messages: 200, MessagesPerSecond: 40, BatchSize: 1, TargetRate: 30, Missed: 50,
	}
	got := rep.Producer
	got.Latency = Latency{}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if l := rep.Producer.Latency; l.P50 < 50 || l.P50 > 51 || l.P95 < 95 || l.P95 > 97 || l.P99 < 99 || l.P99 > 100 || l.Max != 100 {
		t.Errorf("latency %+v", l)
	}
	c := rep.Consumer
	if c.Requests != 500 || c.Claims != 200 || c.Processed != 300 || c.ClaimMean != 100.5 || c.DeleteMean != 150.5 || c.Duration != 6 || c.PerSecond != 83.333 {
		t.Errorf("consumers %+v", c)
	}
	if rep.Observer != (ObserverReport{}) {
		t.Errorf("no observers: %+v", rep.Observer)
	}
	if rep.Messages.Checked || rep.Err() == nil {
		t.Errorf("without an account: %v, %+v", rep.Err(), rep.Messages)
	}
	if missed := r.report(nil, r.pace.begin.Add(4*time.Second), true).Producer.Missed; missed != 20 {
		t.Errorf("ended early: %d missed", missed)
	}
}

func TestCheck(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"":                      func(*Options) {},
		"nothing to do":         func(o *Options) { o.Producers, o.Observers = Group{0, 10}, Group{1, 0} },
		"-1 workers":            func(o *Options) { o.Consumers.Workers = -1 },
		"0 to 100000 together":  func(o *Options) { o.Consumers = Group{1000, 1000} },
		"the time":              func(o *Options) { o.Duration = 0 },
		"0 queues":              func(o *Options) { o.Queues = 0 },
		"queue prefix \"\"":     func(o *Options) { o.Prefix = "" },
		"queue prefix \"ä\"":    func(o *Options) { o.Prefix = "ä" },
		"must have 1 to 64":     func(o *Options) { o.Prefix, o.Queues = strings.Repeat("x", 62), 11 },
		"at least one message":  func(o *Options) { o.Batch = 0 },
		"rate -1":               func(o *Options) { o.Rate = -1 },
		"rate 1e+07":            func(o *Options) { o.Rate = 1e7 },
		"whole seconds":         func(o *Options) { o.Wait = time.Second / 2 },
		"http":                  func(o *Options) { o.Server = "ftp://h" },
		"no messages to post":   func(o *Options) { o.Messages = Messages{} },
		"claims cannot wait so": func(o *Options) { o.Wait = 5 * time.Minute },
	} {
		o := Defaults()
		change(&o)
		if err := o.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
