package compat

import (
	"net/http"
	"strings"
)

func tempestMessages() []tempestTest {
	return []tempestTest{
		{"test_post_messages", func(p *tempest) {
			location, _ := p.post("work", 20)
			if !strings.Contains(location, "?ids=") {
				p.Errorf("Location %q", location)
			}
			p.send(200, http.MethodGet, location, nil)
		}},
		{"test_list_messages", func(p *tempest) {
			p.post("work", 20)
			if page := p.list(messagesOf("work") + "?echo=True"); len(page) != 10 {
				p.Errorf("%d messages on a page", len(page))
			}
		}},
		{"test_get_message", func(p *tempest) {
			_, resources := p.post("work", 1)
			var m struct{ ID, Href string }
			p.send(200, http.MethodGet, resources[0], nil).JSON(&m)
			if m.ID == "" || m.Href != resources[0] {
				p.Errorf("message %+v at %s", m, resources[0])
			}
		}},
		{"test_get_multiple_messages", func(p *tempest) {
			location, _ := p.post("work", 20)
			if list := p.list(location); len(list) != 20 {
				p.Errorf("%d messages", len(list))
			}
		}},
		{"test_delete_single_message", func(p *tempest) {
			location, resources := p.post("work", 1)
			p.send(204, http.MethodDelete, resources[0], nil)
			p.send(404, http.MethodGet, location, nil)
		}},
		{"test_delete_multiple_messages", func(p *tempest) {
			location, _ := p.post("work", 20)
			p.send(204, http.MethodDelete, location, nil)
			p.send(404, http.MethodGet, location, nil)
		}},
	}
}

func tempestMessagesNegative() []tempestTest {
	return append(tempestBadReads(), append(tempestBadPosts(), tempestBadDeletes()...)...)
}

// twentyOne is a list of more ids than a request may have.
var twentyOne = strings.Repeat("a,", 20) + "a"

// onQueue is a test that posts a message before it sends its request.
func onQueue(status int, method, path string, body any) func(*tempest) {
	return func(p *tempest) {
		p.post("work", 1)
		p.send(status, method, path, body)
	}
}

func tempestBadReads() []tempestTest {
	get, work := http.MethodGet, messagesOf("work")
	eachLimit := func(limits ...string) func(*tempest) {
		return func(p *tempest) {
			p.post("work", 1)
			for _, l := range limits {
				p.send(400, get, work+"?limit="+l, nil)
			}
		}
	}
	return []tempestTest{
		{"test_request_single_message_from_a_nonexistent_queue", refuses(404, get, messagesOf("absent")+"/50b68a50d6f5b8c8a7c62b01", nil)},
		{"test_request_a_non_existing_message", onQueue(404, get, work+"/50b68a50d6f5b8c8a7c62b01", nil)},
		{"test_request_a_message_with_negative_message_id", onQueue(404, get, work+"?ids=-1", nil)},
		{"test_request_multiple_messages_from_a_nonexistent_queue",
			refuses(404, get, messagesOf("absent")+"?ids=50b68a50d6f5b8c8a7c62b01,50b68a50d6f5b8c8a7c62b02", nil)},
		{"test_request_multiple_messages_with_invalid_message_id", onQueue(404, get, work+"?ids=no-such,message", nil)},
		{"test_request_multiple_messages_by_exceeding_the_default_limit", onQueue(400, get, work+"?ids="+twentyOne, nil)},
		{"test_request_message_by_passing_invalid_echo_param", onQueue(400, get, work+"?echo=None", nil)},
		{"test_request_messages_by_passing_invalid_include_claimed_param", onQueue(400, get, work+"?include_claimed=None", nil)},
		{"test_request_messages_limit_greater_than_configured_value", eachLimit("21", "200", "1000000")},
		{"test_request_messages_with_limit_less_than_configured_value", eachLimit("0", "-1", "-1000")},
	}
}

func tempestBadPosts() []tempestTest {
	post, work := http.MethodPost, messagesOf("work")
	// refused refuses an item of a batch, and the whole batch with it.
	refused := func(items ...string) func(*tempest) {
		return func(p *tempest) {
			for _, item := range items {
				p.send(400, post, work, `{"messages": [{"body": {}}, `+item+`]}`)
				p.send(400, post, work, `[`+item+`]`) // what the plugin sends
			}
			if names := p.listQueues(""); len(names) > 0 {
				p.Errorf("a refused post created %v", names)
			}
		}
	}
	return []tempestTest{
		{"test_post_messages_with_no_request_body", refuses(400, post, work, `{}`)},
		{"test_post_messages_with_a_bad_message", refused(`"bad"`, `[]`, `null`, `{"key": "value"}`)},
		{"test_post_messages_to_a_nonexistent_queue", refuses(201, post, messagesOf("absent"), posts(1))},
		{"test_post_messages_to_a_non_ascii_queue", refuses(400, post, messagesOf("%E6%B3%BD%E9%A9%AC"), posts(1))},
		{"test_post_messages_to_a_queue_with_invalid_name", refuses(400, post, messagesOf("@$@^qw@"), posts(1))},
		{"test_post_messages_to_a_queue_with_invalid_length_for_queue_name", refuses(400, post, messagesOf(strings.Repeat("q", 65)), posts(1))},
		{"test_post_messages_with_invalid_json_request_body", refuses(400, post, work, `"messages"`)},
		{"test_post_messages_with_TTL_less_than_60", refused(`{"ttl": 59, "body": {}}`, `{"ttl": 0, "body": {}}`)},
		{"test_post_messages_with_TTL_greater_than_1209600", refused(`{"ttl": 1209601, "body": {}}`)},
		{"test_post_messages_with_non_int_value_of_TTL", refused(`{"ttl": "60", "body": {}}`, `{"ttl": 60.5, "body": {}}`)},
		{"test_post_messages_with_negative_value_of_TTL", refused(`{"ttl": -1, "body": {}}`)},
		{"test_post_messages_without_TTL", func(p *tempest) {
			p.send(400, post, work, `[{"body": {}}]`) // refused for lack of messages
			p.send(201, post, work, `{"messages": [{"body": {}}]}`)
		}},
		{"test_post_messages_exceeding_message_post_size", refused(`{"ttl": 60, "body": {"key": "` + strings.Repeat("a", 262144) + `"}}`)},
		{"test_post_messages_with_invalid_body_size", func(p *tempest) {
			p.send(400, post, work, `[`+strings.Repeat(`{"body": {}}, `, 20)+`{"body": {}}]`) // refused for lack of messages
			p.post("work", 21)                                                                // there is no such limit
		}},
		{"test_post_messages_without_body_in_request_body", refused(`{"ttl": 60}`)},
	}
}

func tempestBadDeletes() []tempestTest {
	del, work := http.MethodDelete, messagesOf("work")
	return []tempestTest{
		{"test_delete_message_from_a_nonexistent_queue", refuses(204, del, messagesOf("absent")+"?ids=50b68a50d6f5b8c8a7c62b01", nil)},
		{"test_delete_a_non_existing_message", onQueue(204, del, work+"?ids=50b68a50d6f5b8c8a7c62b01", nil)},
		{"test_delete_message_with_non_existent_message_id", onQueue(204, del, work+"/50b68a50d6f5b8c8a7c62b01", nil)},
		{"test_delete_multiple_non_existing_messages", onQueue(204, del, work+"?ids=50b68a50d6f5b8c8a7c62b01,50b68a50d6f5b8c8a7c62b02", nil)},
		{"test_delete_message_without_id", onQueue(400, del, work, nil)},
		{"test_delete_message_with_invalid_message_id", onQueue(204, del, work+"?ids=-1", nil)},
		{"test_delete_the_deleted_message", func(p *tempest) {
			_, resources := p.post("work", 1)
			p.send(204, del, resources[0], nil)
			p.send(204, del, resources[0], nil)
		}},
		{"test_delete_multiple_messages_by_exceeding_the_default_limit", onQueue(400, del, work+"?ids="+twentyOne, nil)},
		{"test_delete_message_without_providing_claim_id", func(p *tempest) {
			_, resources := p.post("work", 1)
			p.claim("work", "", `{"ttl": 300, "grace": 300}`)
			p.send(403, del, resources[0], nil)
		}},
		{"test_delete_message_with_invalid_claim_id", func(p *tempest) {
			_, resources := p.post("work", 1)
			p.send(400, del, resources[0]+"?claim_id=123", nil)
			p.send(200, http.MethodGet, resources[0], nil)
		}},
		{"test_delete_message_with_no_pop_value", onQueue(400, del, work+"?pop=%20", nil)},
		{"test_delete_message_with_invalid_pop_value", onQueue(400, del, work+"?pop=1000000000", nil)},
		{"test_delete_message_with_negative_pop_value", onQueue(400, del, work+"?pop=-1", nil)},
		{"test_delete_message_with_invalid_params_with_pop", onQueue(400, del, work+"?pop=1&ids=50b68a50d6f5b8c8a7c62b01", nil)},
	}
}
