package broker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
)

const (
	queueDefaults = `"_max_messages_post_size":262144,"_default_message_ttl":3600,"_default_message_delay":0,` +
		`"_dead_letter_queue":null,"_dead_letter_queue_messages_ttl":null,"_max_claim_count":null,"_enable_encrypt_messages":false`
	topicDefaults = `"_max_messages_post_size":262144,"_default_message_ttl":3600,"_default_message_delay":0`
)

func TestShownMetadata(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		q            messaging.QueueRef
		stored, want string
	}{
		{q, ``, `{` + queueDefaults + `}`},
		{topic("t"), ``, `{` + topicDefaults + `}`},
		{q, `{"b":1.0,"a":{"x" : "é"}}`, `{"b":1.0,"a":{"x" : "é"},` + queueDefaults + `}`},
		{topic("t"), `{"_max_claim_count":0}`, `{"_max_claim_count":0,` + topicDefaults + `}`},
		{q, `{"_max_claim_count":0,"_default_message_ttl":null,"x":null}`,
			`{"_max_claim_count":null,"_default_message_ttl":3600,"x":null,"_max_messages_post_size":262144,` +
				`"_default_message_delay":0,"_dead_letter_queue":null,"_dead_letter_queue_messages_ttl":null,"_enable_encrypt_messages":false}`},
		{q, `{"_enable_encrypt_messages":[ ],"_dead_letter_queue":"","_default_message_delay":7}`,
			`{"_enable_encrypt_messages":false,"_dead_letter_queue":null,"_default_message_delay":7,` +
				`"_max_messages_post_size":262144,"_default_message_ttl":3600,"_dead_letter_queue_messages_ttl":null,"_max_claim_count":null}`},
		{q, `{"_foo":0,"_flavor":"","_retry_policy":{}}`, `{"_foo":0,"_flavor":"","_retry_policy":{},` + queueDefaults + `}`},
	} {
		wantEqual(t, "Shown "+tt.stored, string(w.Shown(tt.q, object(t, tt.stored)).JSON()), tt.want)
	}
}

func TestShownMetadataFollowsTheConfiguration(t *testing.T) {
	w := newWorld(t, func(c *broker.Config) {
		c.MaxMessagesPostSize, c.DefaultMessageTTL, c.DefaultMessageDelay = 1000, 77, 5
	})
	got := string(w.Shown(topic("t"), nil).JSON())
	wantEqual(t, "Shown", got, `{"_max_messages_post_size":1000,"_default_message_ttl":77,"_default_message_delay":5}`)
}

// memberRules are values of reserved members: those accepted and those refused.
var memberRules = []struct{ key, good, bad string }{
	{"_max_messages_post_size", `1|262144|null|2000`, `0|-1|262145|"1"|""|true|false|1.0|1e2|[]|{}|99999999999999999999`},
	{"_default_message_ttl", `60|1209600|null`, `59|1209601|0|"60"|""|60.0|60.5|6e1|true|false|[]|{}`},
	{"_default_message_delay", `0|900|null|-0`, `-1|901|"5"|""|1.5|0.0|false|true|[]|{}`},
	{"_dead_letter_queue", `"dlq"|"a.b-c_D9"|null|""`, `1|0|true|false|{}|{"a":1}|[]|"bad@name"|"q"|".."|"` + strings.Repeat("a", 65) + `"|"x\n"`},
	{"_dead_letter_queue_messages_ttl", `60|1209600|null`, `59|0|1209601|"1"|""|true|60.0`},
	{"_max_claim_count", `0|1|9223372036854775807|null`, `-5|-1|"3"|""|1.5|2.0|true|false|9223372036854775808`},
	{"_enable_encrypt_messages", `true|false|0|""|null|[]|{}`, `1|"true"|"false"|[0]|{"a":1}|2.5`},
	{"_flavor", `"f"|""|null`, `1|true|[]|{}`},
	{"_retry_policy", `null|{}|[]|0|""|false|{"x":1}` +
		`|{"minimum_delay":5,"maximum_delay":15}|{"minimum_delay":20}|{"maximum_delay":15}` +
		`|{"retries_with_no_delay":0,"minimum_delay_retries":9,"maximum_delay_retries":null}` +
		`|{"minimum_delay":null,"maximum_delay":null}|{"minimum_delay":0,"maximum_delay":9223372036854775807}` +
		`|{"retry_backoff_function":"linear"}|{"retry_backoff_function":"arithmetic"}` +
		`|{"retry_backoff_function":"geometric"}|{"retry_backoff_function":"exponential"}|{"retry_backoff_function":""}` +
		`|{"ignore_subscription_override":true}|{"ignore_subscription_override":0}|{"minimum_delay":99,"minimum_delay":1}`,
		`1|"x"|true|[1]|{"minimum_delay":5,"maximum_delay":14}|{"minimum_delay":40}|{"minimum_delay":21}|{"maximum_delay":14}` +
			`|{"minimum_delay":""}|{"maximum_delay":"15"}|{"minimum_delay":true}|{"maximum_delay":30.0}|{"minimum_delay":-1}` +
			`|{"retries_with_no_delay":-1}|{"retries_with_no_delay":false}|{"minimum_delay_retries":"1"}|{"maximum_delay_retries":1.5}` +
			`|{"retry_backoff_function":"cubic"}|{"retry_backoff_function":1}|{"retry_backoff_function":"Linear"}` +
			`|{"ignore_subscription_override":1}|{"ignore_subscription_override":"true"}|{"maximum_delay":0,"minimum_delay":9223372036854775807}`},
	{"_foo", `1|""|null|{"a":[]}`, ``},
	{"name", `"x"|false`, ``},
}

func TestReservedMembersAreChecked(t *testing.T) {
	w := newWorld(t, withKeys("k"))
	w.create(queue("patched"), `{}`)
	check := func(key, value string, kind messaging.Kind) {
		t.Helper()
		text := fmt.Sprintf(`{"a":1,%q:%s}`, key, value)
		for _, r := range []messaging.QueueRef{q, {Project: "p", Name: "q", Topic: true}} {
			_, err := w.CreateQueue(w.ctx(), w.who, r, object(t, text))
			wantKind(t, err, kind, "create %s with %s", noun(r), text)
			if kind != "" {
				wantText(t, err, key)
			}
			if err := w.DeleteQueue(w.ctx(), w.who, r); err != nil {
				t.Fatal(err)
			}
		}
		if value == `"q"` {
			value = `"patched"` // the queue itself
		}
		_, err := w.PatchQueue(w.ctx(), w.who, queue("patched"), []broker.PatchOp{{Op: "add", Key: key, Value: []byte(value)}})
		wantKind(t, err, kind, "patch %s to %s", key, value)
	}
	for _, tt := range memberRules {
		for value := range strings.SplitSeq(tt.good, "|") {
			check(tt.key, value, "")
		}
		if tt.bad == "" {
			continue
		}
		for value := range strings.SplitSeq(tt.bad, "|") {
			check(tt.key, value, messaging.Invalid)
		}
	}
}

func noun(q messaging.QueueRef) string {
	if q.Topic {
		return "topic"
	}
	return "queue"
}

func TestRefusedValuesAreShownShortened(t *testing.T) {
	w := newWorld(t)
	long := `"` + strings.Repeat("é", 5000) + `"`
	_, err := w.CreateQueue(w.ctx(), w.who, q, object(t, `{"_default_message_ttl":`+long+`}`))
	wantKind(t, err, messaging.Invalid, "long value")
	wantText(t, err, "_default_message_ttl", "60", "1209600", "ééé", "…")
	if len(err.Error()) > 300 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestMetadataSizeIsLimited(t *testing.T) {
	w := newWorld(t, func(c *broker.Config) { c.MaxQueueMetadata = 100 })
	fits := `{"a":"` + strings.Repeat("x", 92) + `"}`
	w.create(queue("fits"), fits)
	_, err := w.CreateQueue(w.ctx(), w.who, queue("large"), object(t, `{"a":"`+strings.Repeat("x", 93)+`"}`))
	wantKind(t, err, messaging.Invalid, "101 bytes")
	wantText(t, err, "100", "101")
	_, err = w.PatchQueue(w.ctx(), w.who, queue("fits"), []broker.PatchOp{{Op: "add", Key: "b", Value: []byte("1")}})
	wantKind(t, err, messaging.Invalid, "patch beyond the limit")
	show, _ := w.ShowQueue(w.ctx(), w.who, queue("fits"))
	wantEqual(t, "metadata", string(show.JSON()), fits[:len(fits)-1]+","+queueDefaults+"}")
}

func TestEncryptionNeedsAKey(t *testing.T) {
	w := newWorld(t)
	_, err := w.CreateQueue(w.ctx(), w.who, q, object(t, `{"_enable_encrypt_messages":true}`))
	wantKind(t, err, messaging.Invalid, "create without a key")
	wantText(t, err, "_enable_encrypt_messages", "key")
	w.create(q, `{}`)
	enable := []broker.PatchOp{{Op: "add", Key: "_enable_encrypt_messages", Value: []byte("true")}}
	_, err = w.PatchQueue(w.ctx(), w.who, q, enable)
	wantKind(t, err, messaging.Invalid, "patch without a key")

	if err := w.Reconfigure(config(withKeys("k"))); err != nil {
		t.Fatal(err)
	}
	_, err = w.PatchQueue(w.ctx(), w.who, q, enable)
	wantKind(t, err, "", "patch with a key")
	if err := w.Reconfigure(config()); err != nil {
		t.Fatal(err)
	}
	_, err = w.PatchQueue(w.ctx(), w.who, q, []broker.PatchOp{{Op: "add", Key: "team", Value: []byte("1")}})
	wantKind(t, err, "", "another change after the key was taken away")
	_, err = w.PostMessages(w.ctx(), w.who, q, []broker.Post{{Body: []byte("1")}})
	wantKind(t, err, messaging.Unavailable, "post without the key")
	wantEqual(t, "messages", w.list(q, everything()), "")
}

// FuzzMetadata checks that whatever metadata is accepted is shown as JSON with
// all defaults and works in every use case.
func FuzzMetadata(f *testing.F) {
	for _, tt := range memberRules {
		for value := range strings.SplitSeq(tt.good+"|"+tt.bad, "|") {
			f.Add(fmt.Sprintf(`{%q:%s}`, tt.key, value))
		}
	}
	f.Add(`{"_max_claim_count":1,"_dead_letter_queue":"d"}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := messaging.DecodeMetadata([]byte(text))
		if err != nil {
			return
		}
		w := newWorld(t, withKeys("k"))
		if _, err := w.CreateQueue(w.ctx(), w.who, q, m); err != nil {
			wantKind(t, err, messaging.Invalid, "create with %s", text)
			return
		}
		show, err := w.ShowQueue(w.ctx(), w.who, q)
		if err != nil || !json.Valid(show.JSON()) {
			t.Fatalf("%s is shown as %s (%v)", text, show.JSON(), err)
		}
		for _, key := range []string{"_max_messages_post_size", "_default_message_ttl", "_default_message_delay"} {
			if !strings.Contains(string(show.JSON()), key) && !strings.Contains(text, `\u`) {
				t.Fatalf("%s is shown without %s: %s", text, key, show.JSON())
			}
		}
		w.post(q, "1")
		w.clock.move(1000)
		for range 3 {
			w.claim(q, 1)
			w.clock.move(60)
		}
	})
}
