package broker_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"zaqar/broker"
	"zaqar/messaging"
)

// ops reads operations written as "add key value", "replace key value" or
// "remove key", separated by semicolons.
func ops(text string) []broker.PatchOp {
	var list []broker.PatchOp
	for _, op := range strings.Split(text, ";") {
		f := strings.Fields(op)
		if len(f) < 2 {
			continue
		}
		o := broker.PatchOp{Op: f[0], Key: f[1]}
		if len(f) == 3 {
			o.Value = []byte(f[2])
		}
		list = append(list, o)
	}
	return list
}

func TestPatch(t *testing.T) {
	for _, tt := range []struct {
		name, before, ops, want string // want: the stored metadata, or a kind
		topic                   bool
	}{
		{"nothing to do", `{"a":1}`, ``, `{"a":1}`, false},
		{"add", `{"a":1}`, `add b "x"`, `{"a":1,"b":"x"}`, false},
		{"add null", `{}`, `add b null`, `{"b":null}`, false},
		{"add overwrites in place", `{"a":1,"b":2}`, `add a [3]`, `{"a":[3],"b":2}`, false},
		{"replace", `{"a":1,"b":2}`, `replace a 3`, `{"a":3,"b":2}`, false},
		{"remove", `{"a":1,"b":2}`, `remove a`, `{"b":2}`, false},
		{"remove the last", `{"a":1}`, `remove a`, `{}`, false},
		{"key with a slash", `{"a/b":1}`, `remove a/b;add c~ 1`, `{"c~":1}`, false},

		{"replace what is absent", `{"a":1}`, `replace b 1`, "conflict", false},
		{"remove what is absent", `{"a":1}`, `remove b`, "conflict", false},
		{"replace an absent flavor", `{}`, `replace _flavor "f"`, "conflict", false},
		{"remove an absent flavor", `{}`, `remove _flavor`, "conflict", false},
		{"replace an absent retry policy", `{}`, `replace _retry_policy {}`, "conflict", false},
		{"remove an absent retry policy", `{}`, `remove _retry_policy`, "conflict", false},
		{"replace an absent unknown reserved name", `{}`, `replace _foo 1`, "conflict", false},

		{"in order", `{}`, `add a 1;replace a 2;remove a;add a 3`, `{"a":3}`, false},
		{"a later one fails", `{"a":1}`, `add b 1;remove a;remove c`, "conflict", false},
		{"removed twice", `{"a":1}`, `remove a;remove a`, "conflict", false},
		{"the result breaks a rule", `{}`, `add _default_message_ttl 5`, "invalid request", false},
		{"only the result is checked", `{}`, `add _default_message_ttl 5;add _default_message_ttl 60`, `{"_default_message_ttl":60}`, false},
		{"conflict before the check of the result", `{}`, `add _default_message_ttl 5;remove x`, "conflict", false},

		{"remove defaulted, unset", `{"a":1}`, `remove _default_message_ttl;remove _max_claim_count;remove _enable_encrypt_messages`, `{"a":1}`, false},
		{"remove defaulted, set", `{"_default_message_ttl":60}`, `remove _default_message_ttl`, `{}`, false},
		{"replace defaulted, unset", `{}`, `replace _max_claim_count 3;replace _dead_letter_queue "d"`, `{"_max_claim_count":3,"_dead_letter_queue":"d"}`, false},
		{"topic: remove defaulted, unset", `{}`, `remove _default_message_ttl;remove _max_messages_post_size;remove _default_message_delay`, `{}`, true},
		{"topic: replace defaulted, unset", `{}`, `replace _default_message_ttl 60`, `{"_default_message_ttl":60}`, true},
		{"topic: claim count is not defaulted", `{}`, `remove _max_claim_count`, "conflict", true},
		{"topic: encryption is not defaulted", `{}`, `remove _enable_encrypt_messages`, "conflict", true},
		{"topic: dead letters are not defaulted", `{}`, `replace _dead_letter_queue "d"`, "conflict", true},

		{"removed after added, shown as null", `{}`, `add _max_claim_count 3;remove _max_claim_count`, `{"_max_claim_count":3}`, false},
		{"the same, all three", `{"a":1}`,
			`add _dead_letter_queue "d";add _dead_letter_queue_messages_ttl 60;add _max_claim_count 3;remove a;` +
				`remove _dead_letter_queue;remove _dead_letter_queue_messages_ttl;remove _max_claim_count`,
			`{"_dead_letter_queue":"d","_dead_letter_queue_messages_ttl":60,"_max_claim_count":3}`, false},
		{"removed after added, stored as null", `{"_max_claim_count":null}`, `add _max_claim_count 3;remove _max_claim_count`, `{"_max_claim_count":3}`, false},
		{"removed after added, stored as 0", `{"_max_claim_count":0}`, `add _max_claim_count 3;remove _max_claim_count`, `{"_max_claim_count":3}`, false},
		{"removed after added and replaced", `{}`, `add _max_claim_count 3;replace _max_claim_count 4;remove _max_claim_count`, `{"_max_claim_count":4}`, false},
		{"removed after added, set before", `{"_max_claim_count":2}`, `add _max_claim_count 3;remove _max_claim_count`, `{}`, false},
		{"removed after replaced", `{}`, `replace _max_claim_count 3;remove _max_claim_count`, `{}`, false},
		{"removed after added, shown as a value", `{}`, `add _default_message_ttl 60;remove _default_message_ttl`, `{}`, false},
		{"removed after added, not reserved", `{}`, `add a 1;remove a`, `{}`, false},
		{"removed after added, on a topic", `{}`, `add _max_claim_count 3;remove _max_claim_count`, `{}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			r := messaging.QueueRef{Project: "p", Name: "q", Topic: tt.topic}
			w.create(r, tt.before)
			got, err := w.PatchQueue(w.ctx(), w.who, r, ops(tt.ops))
			want := tt.want
			if !strings.HasPrefix(tt.want, "{") {
				wantKind(t, err, messaging.Kind(tt.want), "patch")
				want = tt.before
			} else if err != nil {
				t.Fatal(err)
			} else {
				wantEqual(t, "answer", string(got.JSON()), string(w.Shown(r, object(t, want)).JSON()))
			}
			stored, err := w.store.Queue(w.ctx(), r)
			if err != nil {
				t.Fatal(err)
			}
			wantEqual(t, "stored", string(stored.Metadata.JSON()), want)
		})
	}
}

func TestPatchOfAMissingQueue(t *testing.T) {
	w := newWorld(t)
	for _, list := range []string{``, `add a 1`, `remove a`, `add _default_message_ttl 5`} {
		_, err := w.PatchQueue(w.ctx(), w.who, q, ops(list))
		wantKind(t, err, messaging.NotFound, "patch %q", list)
	}
	_, err := w.PatchQueue(w.ctx(), w.who, topic("t"), nil)
	wantKind(t, err, messaging.NotFound, "patch of a topic")
	wantText(t, err, "topic", "t")
	wantEqual(t, "queues", w.names(false), "")
}

// TestClientLibraryReplacesMetadata sends what python-zaqarclient does to set
// the whole metadata: it reads it, adds each wanted member that was null or
// absent, replaces each other one, and removes each member read that it has
// not replaced.
func TestClientLibraryReplacesMetadata(t *testing.T) {
	w := newWorld(t, withKeys("k"))
	w.create(q, `{"team":"a","_default_message_ttl":100}`)
	replace := func(wanted string) {
		t.Helper()
		read, err := w.ShowQueue(w.ctx(), w.who, q)
		if err != nil {
			t.Fatal(err)
		}
		isNull, replaced := map[string]bool{}, map[string]bool{}
		for _, m := range read.Members() {
			isNull[m.Name] = string(m.Value) == "null"
		}
		var list []broker.PatchOp
		for _, m := range object(t, wanted).Members() {
			if null, present := isNull[m.Name]; present && !null {
				list = append(list, broker.PatchOp{Op: "replace", Key: m.Name, Value: m.Value})
				replaced[m.Name] = true
			} else {
				list = append(list, broker.PatchOp{Op: "add", Key: m.Name, Value: m.Value})
			}
		}
		for _, m := range read.Members() {
			if !replaced[m.Name] {
				list = append(list, broker.PatchOp{Op: "remove", Key: m.Name})
			}
		}
		if _, err := w.PatchQueue(w.ctx(), w.who, q, list); err != nil {
			t.Fatalf("replace by %s: %v", wanted, err)
		}
		stored, err := w.store.Queue(w.ctx(), q)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "stored", sorted(stored.Metadata), sorted(object(t, wanted)))
	}
	replace(`{"_dead_letter_queue":"d","_max_claim_count":2,"_dead_letter_queue_messages_ttl":100}`)
	replace(`{"_dead_letter_queue":"e","team":"b","_enable_encrypt_messages":true}`)
	replace(`{"_max_claim_count":5,"_default_message_delay":3,"_max_messages_post_size":100}`)
	replace(`{}`)
}

func sorted(m *messaging.Metadata) []string {
	var list []string
	for _, m := range m.Members() {
		list = append(list, m.Name+"="+string(m.Value))
	}
	slices.Sort(list)
	return list
}

func TestConcurrentPatchesLoseNothing(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{}`)
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := w.PatchQueue(w.ctx(), w.who, q, ops(fmt.Sprintf("add key%d %d", i, i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	stored, err := w.store.Queue(w.ctx(), q)
	if err != nil || len(stored.Metadata.Members()) != n {
		t.Errorf("%d members of %d: %s (%v)", len(stored.Metadata.Members()), n, stored.Metadata.JSON(), err)
	}
}

// FuzzPatch compares with a plain reading of the table of http-v2 §7.5.
func FuzzPatch(f *testing.F) {
	f.Add(`{"a":1}`, "add b 1;remove a", false)
	f.Add(`{}`, "add _max_claim_count 1;remove _max_claim_count", false)
	f.Add(`{"_max_claim_count":0}`, "add _max_claim_count 1;remove _max_claim_count", true)
	f.Add(`{"_default_message_ttl":60}`, "remove _default_message_ttl;remove _default_message_ttl;replace _flavor 1", false)
	f.Fuzz(func(t *testing.T, before, list string, isTopic bool) {
		m, err := messaging.DecodeMetadata([]byte(before))
		if err != nil {
			return
		}
		operations := ops(list)
		for _, op := range operations {
			if !slices.Contains([]string{"add", "remove", "replace"}, op.Op) || (op.Op == "remove") != (op.Value == nil) ||
				op.Value != nil && !jsontext.Value(op.Value).IsValid(jsontext.AllowDuplicateNames(true)) || strings.ToValidUTF8(op.Key, "") != op.Key {
				return
			}
		}
		text := string(m.JSON())
		r := messaging.QueueRef{Project: "p", Name: "q", Topic: isTopic}
		got, err := broker.Patch(r, m, operations)
		want, ok := plainPatch(isTopic, m, operations)
		if string(m.JSON()) != text {
			t.Fatalf("the original became %s", m.JSON())
		}
		if ok != (err == nil) || err != nil && !errors.Is(err, messaging.Conflict) {
			t.Fatalf("patch of %s by %q: %v; want success %v", before, list, err, ok)
		}
		if err != nil {
			return
		}
		found := map[string]string{}
		for _, m := range got.Members() {
			found[m.Name] = string(m.Value)
		}
		wantEqual(t, fmt.Sprintf("patch of %s by %q", before, list), found, want)
	})
}

func plainPatch(topic bool, m *messaging.Metadata, list []broker.PatchOp) (map[string]string, bool) {
	seven := "_max_messages_post_size _default_message_ttl _default_message_delay "
	null := ""
	if !topic {
		null = "_dead_letter_queue _dead_letter_queue_messages_ttl _max_claim_count "
		seven += null + "_enable_encrypt_messages "
	}
	in := func(set, key string) bool { return slices.Contains(strings.Fields(set), key) }
	now, keep := map[string]string{}, map[string]bool{}
	for _, m := range m.Members() {
		now[m.Name] = string(m.Value)
	}
	for _, op := range list {
		value, stored := now[op.Key]
		if !stored && op.Op != "add" && !in(seven, op.Key) {
			return nil, false
		}
		switch op.Op {
		case "remove":
			if !keep[op.Key] {
				delete(now, op.Key)
			}
		case "add":
			if in(null, op.Key) && (!stored || messaging.FalseLike([]byte(value))) {
				keep[op.Key] = true
			}
			fallthrough
		default:
			now[op.Key] = string(op.Value)
		}
	}
	return now, true
}
