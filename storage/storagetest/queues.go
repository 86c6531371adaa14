package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"zaqar/messaging"
)

func queuePromises() []promise {
	return []promise{
		{"S1 a page has the first queues of the project, with metadata", queuePage},
		{"S2 the next page has the rest and nothing of other projects", queueNextPage},
		{"S3 the first create reports true", queueCreateReports},
		{"S4 a created queue exists and is listed", queueExistsWhenCreated},
		{"S5 metadata comes back unchanged", queueKeepsMetadata},
		{"S6 a second create reports false and changes nothing", queueSecondCreate},
		{"S7 a deleted queue does not exist", queueDelete},
		{"S8 deleting an absent queue succeeds", queueDeleteAbsent},
		{"S9 reading or amending an absent queue is NotFound and makes none", queueAbsent},
		{"S10 amending replaces all of the metadata", queueAmendReplaces},
		{"S11 every valid name is listed as created", queueNames},
		{"S12 a page after the first name starts at the second", queueMarkerIsExclusive},
		{"S13 a page after a name that is gone or never was starts at the next", queueMarkerNeedNotExist},
		{"S14 names are ordered byte by byte", queueOrder},
		{"S15 the count is that of the project", queueCount},
		{"S17 awkward metadata comes back unchanged", queueAwkwardMetadata},
		{"S19 a queue and a topic of one name are two", queueAndTopic},
		{"S20 of concurrent creates exactly one reports true", queueConcurrentCreate},
		{"concurrent amends of one queue lose nothing", queueConcurrentAmend},
		{"an amend whose edit fails changes nothing", queueAmendFails},
		{"a queue made again after its deletion has the new metadata", queueRecreated},
		{"projects with awkward ids do not mix", queueTenants},
	}
}

// metadata builds the metadata object of a JSON text.
func (s *subject) metadata(text string) *messaging.Metadata {
	s.Helper()
	m, err := messaging.DecodeMetadata([]byte(text))
	s.ok(err)
	return m
}

// create makes a queue that must be new.
func (s *subject) create(q messaging.QueueRef, metadata string) {
	s.Helper()
	created, err := s.CreateQueue(s.ctx(), q, s.metadata(metadata))
	s.ok(err)
	if !created {
		s.Fatalf("%v existed already", q)
	}
}

func (s *subject) queues(p messaging.Project, topics bool, after string, limit int) []messaging.Queue {
	s.Helper()
	list, err := s.Queues(s.ctx(), p, topics, after, limit)
	s.ok(err)
	return list
}

func (s *subject) names(p messaging.Project, topics bool) []string {
	s.Helper()
	return namesOf(s.queues(p, topics, "", 1000))
}

func namesOf(list []messaging.Queue) []string {
	var names []string
	for _, q := range list {
		names = append(names, q.Ref.Name)
	}
	return names
}

// metadataIs checks what is stored with a queue.
func (s *subject) metadataIs(q messaging.QueueRef, want string) {
	s.Helper()
	got, err := s.Queue(s.ctx(), q)
	s.ok(err)
	if got.Ref != q || string(got.Metadata.JSON()) != want {
		s.Fatalf("%v with %s, want %v with %s", got.Ref, got.Metadata.JSON(), q, want)
	}
}

func (s *subject) countIs(p messaging.Project, topics bool, want int) {
	s.Helper()
	n, err := s.CountQueues(s.ctx(), p, topics)
	s.ok(err)
	if n != want {
		s.Fatalf("%d queues, want %d", n, want)
	}
}

// fifteen creates q00 … q14 in two projects, each with its number as metadata.
func (s *subject) fifteen() []messaging.Queue {
	s.Helper()
	var list []messaging.Queue
	for _, i := range []int{14, 3, 9, 0, 7, 1, 12, 5, 11, 2, 13, 4, 10, 6, 8} {
		name, m := fmt.Sprintf("q%02d", i), fmt.Sprintf(`{"n":%d}`, i)
		s.create(messaging.QueueRef{Project: "p1", Name: name}, m)
		s.create(messaging.QueueRef{Project: "p2", Name: name + "x"}, `{"other":true}`)
		list = append(list, messaging.Queue{Ref: messaging.QueueRef{Project: "p1", Name: name}, Metadata: s.metadata(m)})
	}
	slices.SortFunc(list, func(a, b messaging.Queue) int { return strings.Compare(a.Ref.Name, b.Ref.Name) })
	return list
}

func queuePage(s *subject) {
	want := s.fifteen()
	s.same("first page", s.queues("p1", false, "", 10), want[:10])
}

func queueNextPage(s *subject) {
	want := s.fifteen()
	s.same("second page", s.queues("p1", false, "q09", 10), want[10:])
	s.same("page after the last", s.queues("p1", false, "q14", 10), []messaging.Queue{})
	s.same("page of an unknown project", s.queues("p3", false, "", 10), []messaging.Queue{})
}

func queueCreateReports(s *subject) {
	created, err := s.CreateQueue(s.ctx(), inbox, nil)
	s.ok(err)
	if !created {
		s.Error("the first create reports false")
	}
}

func queueExistsWhenCreated(s *subject) {
	s.create(inbox, `{}`)
	s.metadataIs(inbox, `{}`)
	s.same("queues", s.names("p1", false), []string{"inbox"})
}

func queueKeepsMetadata(s *subject) {
	const text = `{"z":1,"_default_message_ttl":300,"a":{"x":[1,2.50]}}`
	s.create(inbox, text)
	s.metadataIs(inbox, text)
	got, err := s.Queue(s.ctx(), inbox)
	s.ok(err)
	if ttl := got.Metadata.Settings().DefaultTTL; ttl == nil || *ttl != 300 {
		s.Errorf("settings are not decoded: %+v", got.Metadata.Settings())
	}
}

func queueSecondCreate(s *subject) {
	s.create(inbox, `{"a":1}`)
	for _, again := range []string{`{"b":2}`, `{}`} {
		created, err := s.CreateQueue(s.ctx(), inbox, s.metadata(again))
		s.ok(err)
		if created {
			s.Errorf("a second create reports true")
		}
		s.metadataIs(inbox, `{"a":1}`)
	}
}

func queueDelete(s *subject) {
	s.create(inbox, `{}`)
	s.create(outbox, `{}`)
	s.ok(s.DeleteQueue(s.ctx(), inbox))
	_, err := s.Queue(s.ctx(), inbox)
	s.fails(err, messaging.NotFound)
	s.same("queues", s.names("p1", false), []string{"outbox"})
}

func queueDeleteAbsent(s *subject) {
	s.ok(s.DeleteQueue(s.ctx(), inbox))
	s.create(alien, `{}`)
	s.create(topic, `{}`)
	s.ok(s.DeleteQueue(s.ctx(), inbox))
	s.metadataIs(alien, `{}`)
	s.metadataIs(topic, `{}`)
}

func queueAbsent(s *subject) {
	_, err := s.Queue(s.ctx(), inbox)
	s.fails(err, messaging.NotFound)
	_, err = s.AmendQueue(s.ctx(), inbox, func(m *messaging.Metadata) (*messaging.Metadata, error) { return m, nil })
	s.fails(err, messaging.NotFound)
	s.countIs("p1", false, 0)
}

func queueAmendReplaces(s *subject) {
	s.create(inbox, `{"a":1,"b":2}`)
	got, err := s.AmendQueue(s.ctx(), inbox, func(m *messaging.Metadata) (*messaging.Metadata, error) {
		if string(m.JSON()) != `{"a":1,"b":2}` {
			return nil, fmt.Errorf("edit gets %s", m.JSON())
		}
		return messaging.DecodeMetadata([]byte(`{"c":3}`))
	})
	s.ok(err)
	s.same("what amend returns", got, messaging.Queue{Ref: inbox, Metadata: s.metadata(`{"c":3}`)})
	s.metadataIs(inbox, `{"c":3}`)
	s.same("what the list shows", s.queues("p1", false, "", 10), []messaging.Queue{got})
	_, err = s.AmendQueue(s.ctx(), inbox, func(*messaging.Metadata) (*messaging.Metadata, error) { return nil, nil })
	s.ok(err)
	s.metadataIs(inbox, `{}`)
}

func queueNames(s *subject) {
	want := []string{"a", ".a", "-", "_", "a.b.c", "a-b_c.d", "...", "0", "00", "1.5", "null",
		strings.Repeat("x", 64), strings.Repeat("x", 63) + ".", "A"}
	for _, name := range want {
		s.create(messaging.QueueRef{Project: "p1", Name: name}, `{}`)
	}
	slices.Sort(want)
	s.same("names", s.names("p1", false), want)
	for _, name := range want {
		s.metadataIs(messaging.QueueRef{Project: "p1", Name: name}, `{}`)
	}
}

func queueMarkerIsExclusive(s *subject) {
	s.fifteen()
	s.same("page", namesOf(s.queues("p1", false, "q00", 2)), []string{"q01", "q02"})
}

func queueMarkerNeedNotExist(s *subject) {
	s.fifteen()
	s.ok(s.DeleteQueue(s.ctx(), messaging.QueueRef{Project: "p1", Name: "q04"}))
	for after, want := range map[string]string{"q04": "q05", "q045": "q05", "q": "q00", "q03": "q05", "a": "q00", "q04x": "q05"} {
		if got := namesOf(s.queues("p1", false, after, 1)); len(got) != 1 || got[0] != want {
			s.Errorf("after %s: %v, want %s", after, got, want)
		}
	}
	s.same("page after the greatest name", s.queues("p1", false, "zz", 1), []messaging.Queue{})
}

func queueOrder(s *subject) {
	want := []string{"-", ".a", "0", "10", "9", "A", "B", "_", "a", "a-", "a.", "aB", "b"}
	for i := range want {
		s.create(messaging.QueueRef{Project: "p1", Name: want[len(want)-1-i]}, `{}`)
	}
	s.same("names", s.names("p1", false), want)
}

func queueCount(s *subject) {
	s.countIs("p1", false, 0)
	s.fifteen()
	s.countIs("p1", false, 15)
	s.create(topic, `{}`)
	s.countIs("p1", false, 15)
	s.countIs("p1", true, 1)
	s.ok(s.DeleteQueue(s.ctx(), messaging.QueueRef{Project: "p1", Name: "q00"}))
	s.countIs("p1", false, 14)
	s.countIs("p2", false, 15)
}

func queueAwkwardMetadata(s *subject) {
	for i, text := range []string{
		`{}`,
		`{"":""}`,
		`{"a":null,"b":[[[]],{}],"c":{"d":{"e":[1,[2,[3]]]}}}`,
		`{"größe":"\u0000\ud83d\ude00","日本":"语 😀","a.b":1,"$x":2}`,
		`{"n":12345678901234567890123,"f":1.50e+10,"z":-0}`,
		`{"b":1,"a":2,"B":3}`,
		`{"long":"` + strings.Repeat("x", 64<<10) + `"}`,
	} {
		q := messaging.QueueRef{Project: "p1", Name: fmt.Sprint("q", i)}
		s.create(q, text)
		s.metadataIs(q, text)
	}
}

func queueAndTopic(s *subject) {
	s.create(inbox, `{"queue":1}`)
	s.create(topic, `{"topic":1}`)
	s.metadataIs(inbox, `{"queue":1}`)
	s.metadataIs(topic, `{"topic":1}`)
	s.same("queues", s.names("p1", false), []string{"inbox"})
	s.same("topics", s.names("p1", true), []string{"inbox"})
	s.ok(s.DeleteQueue(s.ctx(), inbox))
	s.metadataIs(topic, `{"topic":1}`)
	s.countIs("p1", true, 1)
	s.countIs("p1", false, 0)
}

func queueConcurrentCreate(s *subject) {
	for round := range 10 {
		q := messaging.QueueRef{Project: "p1", Name: fmt.Sprint("q", round)}
		var created atomic.Int32
		s.together(8, func(i int) error {
			first, err := s.CreateQueue(s.ctx(), q, nil)
			if first {
				created.Add(1)
			}
			return err
		})
		if n := created.Load(); n != 1 {
			s.Fatalf("%d creates report true", n)
		}
	}
}

func queueConcurrentAmend(s *subject) {
	s.create(inbox, `{}`)
	const workers, edits = 8, 10
	s.together(workers, func(w int) error {
		for e := range edits {
			_, err := s.AmendQueue(s.ctx(), inbox, func(m *messaging.Metadata) (*messaging.Metadata, error) {
				name := fmt.Sprintf("w%d-%d", w, e)
				return messaging.NewMetadata(append(m.Members(), messaging.Member{Name: name, Value: []byte("1")})), nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	got, err := s.Queue(s.ctx(), inbox)
	s.ok(err)
	if n := len(got.Metadata.Members()); n != workers*edits {
		s.Errorf("%d of %d edits are left", n, workers*edits)
	}
}

func queueAmendFails(s *subject) {
	s.create(inbox, `{"a":1}`)
	refusal := messaging.E(messaging.Invalid, "no")
	_, err := s.AmendQueue(s.ctx(), inbox, func(*messaging.Metadata) (*messaging.Metadata, error) {
		return s.metadata(`{"b":2}`), refusal
	})
	s.fails(err, messaging.Invalid)
	s.metadataIs(inbox, `{"a":1}`)
}

func queueRecreated(s *subject) {
	s.create(inbox, `{"a":1}`)
	s.ok(s.DeleteQueue(s.ctx(), inbox))
	s.create(inbox, `{"b":2}`)
	s.metadataIs(inbox, `{"b":2}`)
	s.countIs("p1", false, 1)
}

// awkward are queues whose keys collide if a store joins project, kind and
// name carelessly.
func awkward() []messaging.QueueRef {
	long := strings.Repeat("ab/.*:%é", 32) // 256 characters
	return []messaging.QueueRef{
		{Project: "a", Name: "b.q"},
		{Project: "a.b", Name: "q"},
		{Project: "a", Name: "b.q", Topic: true},
		{Project: "a.b", Name: "q", Topic: true},
		{Project: "a/b", Name: "q"},
		{Project: "a", Name: "q"},
		{Project: "a*", Name: "q"},
		{Project: "A", Name: "q"},
		{Project: "a ", Name: "q"},
		{Project: "a\x00", Name: "q"},
		{Project: "a\x00q", Name: "q"},
		{Project: "*", Name: "q"},
		{Project: "..", Name: "q"},
		{Project: "q", Name: "a"},
		{Project: "ü", Name: "q"},
		{Project: "u\u0308", Name: "q"},
		{Project: messaging.Project(long), Name: "q"},
		{Project: messaging.Project(long[:len(long)-2] + "e"), Name: "q"},
		{Project: messaging.Project(long), Name: strings.Repeat("q", 64)},
	}
}

func queueTenants(s *subject) {
	for i, q := range awkward() {
		s.create(q, fmt.Sprintf(`{"n":%d}`, i))
	}
	for i, q := range awkward() {
		s.metadataIs(q, fmt.Sprintf(`{"n":%d}`, i))
	}
	s.same("queues of a", s.names("a", false), []string{"b.q", "q"})
	s.same("topics of a", s.names("a", true), []string{"b.q"})
	s.same("queues of a.b", s.names("a.b", false), []string{"q"})
	s.countIs("*", false, 1)
	gone := awkward()[0]
	s.ok(s.DeleteQueue(s.ctx(), gone))
	for i, q := range awkward()[1:] {
		s.metadataIs(q, fmt.Sprintf(`{"n":%d}`, i+1))
	}
}
