package compat

import (
	"net/http"
	"path"
)

const terms = `{"ttl": 300, "grace": 300}`

func tempestClaims() []tempestTest {
	return []tempestTest{
		{"test_post_claim", func(p *tempest) {
			p.post("work", 20)
			_, claimed := p.claim("work", "", terms)
			p.send(204, http.MethodDelete, claimed[0].Href, nil)
			if n, _ := p.stats("work"); n != (stats{Free: 10, Claimed: 9, Total: 19}) {
				p.Errorf("stats %v", n)
			}
		}},
		{"test_query_claim", func(p *tempest) {
			p.post("work", 20)
			claim, _ := p.claim("work", "?limit=5", terms)
			if ttl := p.showClaim(claim); ttl != 300 {
				p.Errorf("ttl %d", ttl)
			}
		}},
		{"test_update_claim", func(p *tempest) {
			p.post("work", 20)
			claim, _ := p.claim("work", "", terms)
			p.send(204, http.MethodPatch, claim, `{"ttl": 100}`)
			if ttl := p.showClaim(claim); ttl > 100 {
				p.Errorf("ttl %d", ttl)
			}
		}},
		{"test_release_claim", func(p *tempest) {
			p.post("work", 20)
			claim, _ := p.claim("work", "", terms)
			p.send(204, http.MethodDelete, claim, nil)
			p.send(204, http.MethodDelete, claim, nil)
			if n, _ := p.stats("work"); n != (stats{Free: 20, Total: 20}) {
				p.Errorf("stats %v", n)
			}
		}},
		{"test_dead_letter_queue", tempestDeadLetters},
	}
}

// tempestDeadLetters releases claims where the plugin waits for their end,
// which takes it two minutes.
func tempestDeadLetters(p *tempest) {
	p.createQueue("work")
	p.send(200, http.MethodPatch, queue("work"), `[
		{"op": "add", "path": "/metadata/_max_claim_count", "value": 2},
		{"op": "add", "path": "/metadata/_dead_letter_queue", "value": "dead"},
		{"op": "add", "path": "/metadata/_dead_letter_queue_messages_ttl", "value": 7799}]`, patchType)
	p.post("work", 1)
	for range 2 {
		claim, claimed := p.claim("work", "", `{"ttl": 60, "grace": 60}`)
		if len(claimed) != 1 {
			p.Fatalf("claimed %d messages", len(claimed))
		}
		p.send(204, http.MethodDelete, claim, nil)
	}
	p.send(204, http.MethodPost, claimsOf("work"), `{"ttl": 60, "grace": 60}`)
	dead := p.list(messagesOf("dead") + "?echo=true")
	if len(dead) != 1 || dead[0].TTL != 7799 {
		p.Errorf("dead letters: %+v", dead)
	}
}

func tempestClaimsNegative() []tempestTest {
	get, patch, del := http.MethodGet, http.MethodPatch, http.MethodDelete
	const unknown = "/52655e8b9cc01f5a3f1ba7b0"
	// claims is a test that claims messages, or is refused to, for each body.
	claims := func(status int, query string, bodies ...string) func(*tempest) {
		return func(p *tempest) {
			for _, body := range bodies {
				p.post("work", 1)
				p.send(status, http.MethodPost, claimsOf("work")+query, body)
			}
		}
	}
	// claimed is a test of an existing claim.
	claimed := func(test func(p *tempest, claim string)) func(*tempest) {
		return func(p *tempest) {
			p.post("work", 5)
			claim, _ := p.claim("work", "", terms)
			test(p, claim)
		}
	}
	return []tempestTest{
		{"test_request_claim_message_with_no_request_body", claims(201, "", `{}`)},
		{"test_request_claim_message_with_invalid_character_request_body", claims(400, "", `"["`, `[`)},
		{"test_request_claim_message_with_invalid_request_body", claims(400, "", `"text"`, `[]`)},
		{"test_request_claim_message_with_greater_value_for_limit", claims(400, "?limit=200", terms)},
		{"test_request_claim_message_with_lesser_value_for_limit", claims(400, "?limit=0", terms)},
		{"test_request_claim_message_with_negative_value_for_limit", claims(400, "?limit=-1", terms)},
		{"test_request_claim_message_with_no_TTL_field", claims(201, "", `{"grace": 300}`)},
		{"test_request_claim_message_with_greater_invalid_TTL_value", claims(400, "", `{"ttl": 43201, "grace": 300}`, `{"ttl": 1000000, "grace": 300}`)},
		{"test_request_claim_message_with_lesser_invalid_TTL_value", claims(400, "", `{"ttl": 0, "grace": 300}`, `{"ttl": -1, "grace": 300}`, `{"ttl": 59, "grace": 300}`)},
		{"test_request_claim_message_with_no_grace_field", claims(201, "", `{"ttl": 300}`)},
		{"test_request_claim_message_with_invalid_greater_grace_value", claims(400, "", `{"ttl": 300, "grace": 43201}`, `{"ttl": 300, "grace": 1000000}`)},
		{"test_request_claim_message_with_invalid_lesser_grace_value", claims(400, "", `{"ttl": 300, "grace": 0}`, `{"ttl": 300, "grace": -1}`, `{"ttl": 300, "grace": 59}`)},
		{"test_request_claim_message_with_non_JSON_request_body", claims(400, "", `"not JSON"`, `not JSON`)},
		{"test_request_claim_message_with_invalid_url_params", claims(201, "?Invalid=parameter", terms)},
		{"test_claim_messages_non_existent_queue", refuses(204, http.MethodPost, claimsOf("absent"), terms)},
		{"test_query_from_a_nonexistent_queue", claimed(func(p *tempest, claim string) {
			p.send(404, get, claimsOf("absent")+"/"+path.Base(claim), nil)
		})},
		{"test_query_claim_with_non_existing_claim_id", claimed(func(p *tempest, _ string) {
			p.send(404, get, claimsOf("work")+unknown, nil)
		})},
		{"test_update_claim_on_non_existing_queue", claimed(func(p *tempest, claim string) {
			p.deleteQueue("work")
			p.send(404, patch, claim, `{"ttl": 300}`)
		})},
		{"test_update_a_non_existing_claim", claimed(func(p *tempest, _ string) {
			p.send(404, patch, claimsOf("work")+unknown, `{"ttl": 300}`)
		})},
		{"test_update_claim_with_no_request_body", claimed(func(p *tempest, claim string) {
			p.send(204, patch, claim, `{}`)
		})},
		{"test_update_claim_with_invalid_json_in_request_body", claimed(func(p *tempest, claim string) {
			p.send(400, patch, claim, `"ttl"`)
			p.send(400, patch, claim, `{"ttl": `)
		})},
		{"test_release_claim_from_a_non_existing_queue", claimed(func(p *tempest, claim string) {
			p.send(204, del, claimsOf("absent")+"/"+path.Base(claim), nil)
			p.showClaim(claim)
		})},
		{"test_release_a_nonexisting_claim_id", claimed(func(p *tempest, claim string) {
			p.send(204, del, claimsOf("work")+unknown, nil)
			p.showClaim(claim)
		})},
	}
}
