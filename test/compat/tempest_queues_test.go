package compat

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

func tempestQueues() []tempestTest {
	fiveQueues := func(query string) func(*tempest) {
		return func(p *tempest) {
			var names []string
			for i := range 5 {
				names = append(names, fmt.Sprint("queue-", i))
				p.createQueue(names[i])
			}
			if d := cmp.Diff(names, p.listQueues(query)); d != "" {
				p.Error(d)
			}
		}
	}
	return []tempestTest{
		{"test_create_delete_queue", func(p *tempest) {
			p.createQueue("work")
			p.deleteQueue("work")
			p.metadata("work")
		}},
		{"test_list_queues", fiveQueues("")},
		{"test_list_queues_with_count", fiveQueues("?with_count=True")},
		{"test_get_queue_stats", func(p *tempest) {
			p.createQueue("work")
			if n, ends := p.stats("work"); n != (stats{}) || ends {
				p.Errorf("stats %v, with messages: %t", n, ends)
			}
		}},
		{"test_set_and_get_queue_metadata", tempestMetadata},
		{"test_purge_queue", func(p *tempest) {
			p.createQueue("work")
			p.post("work", 20)
			p.subscribe("work", subscribers()...)
			p.send(204, http.MethodPost, queue("work")+"/purge", `{"resource_types": ["messages", "subscriptions"]}`)
			if left := p.list(messagesOf("work") + "?echo=true"); len(left) != 0 {
				p.Errorf("%d messages are left", len(left))
			}
			if left := p.subscriptions("work"); len(left) != 0 {
				p.Errorf("%v are left", left)
			}
		}},
	}
}

func tempestMetadata(p *tempest) {
	p.createQueue("work")
	want := map[string]any{
		"_max_messages_post_size": 262144.0, "_default_message_ttl": 3600.0, "_default_message_delay": 0.0,
		"_dead_letter_queue": nil, "_dead_letter_queue_messages_ttl": nil, "_max_claim_count": nil,
		"_enable_encrypt_messages": false,
	}
	if d := cmp.Diff(want, p.metadata("work")); d != "" {
		p.Error("defaults: ", d)
	}
	p.send(200, http.MethodPatch, queue("work"), `[
		{"op": "add", "path": "/metadata/_max_claim_count", "value": 2},
		{"op": "add", "path": "/metadata/_dead_letter_queue_messages_ttl", "value": 7799}]`, patchType)
	want["_max_claim_count"], want["_dead_letter_queue_messages_ttl"] = 2.0, 7799.0
	if d := cmp.Diff(want, p.metadata("work")); d != "" {
		p.Error("set: ", d)
	}
}

func tempestQueuesNegative() []tempestTest {
	get, put, del := http.MethodGet, http.MethodPut, http.MethodDelete
	afterDelete := func(then func(*tempest)) func(*tempest) {
		return func(p *tempest) {
			p.createQueue("work")
			p.deleteQueue("work")
			then(p)
		}
	}
	return []tempestTest{
		{"test_queue_has_a_long_name", refuses(400, put, queue(strings.Repeat("q", 65)), nil)},
		{"test_queue_name_has_a_invalid_character_set", refuses(400, put, queue("@$@^qw@"), nil)},
		{"test_queue_name_with_non_ASCII_characters", refuses(400, put, queue("%E6%B3%BD%E9%A9%AC"), nil)},
		{"test_queue_name_with_numeric_values", func(p *tempest) {
			p.createQueue("1234567890")
			if names := p.listQueues(""); !slices.Equal(names, []string{"1234567890"}) {
				p.Errorf("queues %v", names)
			}
		}},
		{"test_request_a_nonexistent_queue", refuses(200, get, queue("absent"), nil)},
		{"test_request_after_deleting_queue", afterDelete(refuses(200, get, queue("work"), nil))},
		{"test_request_with_a_greater_limit_value", refuses(400, get, "/v2/queues?limit=200", nil)},
		{"test_request_with_zero_limit_value", refuses(400, get, "/v2/queues?limit=0", nil)},
		{"test_request_with_negative_limit_value", refuses(400, get, "/v2/queues?limit=-1", nil)},
		{"test_with_non_boolean_value_for_detailed", refuses(400, get, "/v2/queues?detailed=None", nil)},
		{"test_request_stats_for_a_non_existing_queue", refuses(200, get, queue("absent")+"/stats", nil)},
		{"test_request_queue_stats_after_deleting_queue", afterDelete(refuses(200, get, queue("work")+"/stats", nil))},
		{"test_delete_a_non_existing_queue", refuses(204, del, queue("absent"), nil)},
		{"test_delete_the_deleted_queue", afterDelete(refuses(204, del, queue("work"), nil))},
	}
}
