package rest_test

import (
	"strings"
)

// Statements 171-184: deleting and popping.
func removeStatements() []statement {
	return []statement{
		{171, "delete_one", func(s *server) {
			s.posted("q", "1")
			claim, ids := s.claimed("q", 1, "")
			path := "/v2/queues/q/messages/" + ids[0]
			s.delete(path + "?claim_id=" + claimID(claim)).want(204).wantEmpty()
			s.get(path).want(404)
			s.delete(path).want(204)
			s.delete(path + "?claim_id=" + claimID(claim)).want(204)
		}, nil},
		{172, "delete_unknown_with_malformed_claim", func(s *server) {
			s.posted("q", "1")
			s.delete("/v2/queues/q/messages/nope?claim_id=%00bad").want(204)
			s.delete("/v2/queues/missing/messages/nope?claim_id=x.y").want(204)
		}, nil},
		{173, "delete_unclaimed_with_a_claim", func(s *server) {
			path := "/v2/queues/q/messages/" + s.posted("q", "1")[0]
			s.delete(path + "?claim_id=invalid").want(400)
			s.get(path).want(200)
		}, nil},
		{174, "delete_claimed", func(s *server) {
			s.posted("q", "1", "2")
			own, ids := s.claimed("q", 1, "")
			other, _ := s.claimed("q", 1, "")
			path := "/v2/queues/q/messages/" + ids[0]
			s.delete(path).want(403)
			s.delete(path + "?claim_id=" + claimID(other)).want(403)
			s.get(path).want(200)
			s.delete(path + "?claim_id=" + claimID(own)).want(204)
			s.get(path).want(404)
		}, nil},
		{175, "delete_with_a_former_claim", func(s *server) {
			s.posted("q", "1")
			claim, ids := s.claimed("q", 1, "")
			s.delete(claim).want(204)
			path := "/v2/queues/q/messages/" + ids[0]
			s.delete(path + "?claim_id=" + claimID(claim)).want(400)
			s.delete(path + "?claim_id=").want(204)
			s.get(path).want(404)
		}, nil},
		{176, "delete_with_an_expired_claim", func(s *server) {
			s.posted("q", "1")
			claim, ids := s.claimed("q", 1, `{"ttl": 60}`)
			s.advance(60)
			path := "/v2/queues/q/messages/" + ids[0]
			s.delete(path + "?claim_id=" + claimID(claim)).want(400)
			s.get(path).want(200)
			s.delete(path).want(204)
		}, nil},
		{177, "bulk_delete", func(s *server) {
			ids := s.posted("q", "1", "2")
			s.delete("/v2/queues/q/messages").want(400)
			s.delete("/v2/queues/q/messages?ids=" + ids[0] + "&pop=1").want(400)
			s.delete("/v2/queues/q/messages?ids=,").want(400)
			s.delete("/v2/queues/q/messages?ids=" + strings.Repeat("x,", 21)).want(400)
			s.delete("/v2/queues/q/messages?ids=nope").want(204).wantEmpty()
			s.delete("/v2/queues/missing/messages?ids=" + ids[0]).want(204)
			s.delete("/v2/queues/q/messages?ids=" + ids[0] + "&ids=nope&claim_ids=x").want(204)
			equal(s.t, "left", s.listed("q", ""), []string{"2"})
		}, nil},
		{178, "bulk_delete_of_claimed_messages", func(s *server) {
			ids := s.posted("q", "1")
			s.claimed("q", 1, "")
			s.delete("/v2/queues/q/messages?ids=" + ids[0]).want(204)
			equal(s.t, "left", s.listed("q", "&include_claimed=true"), []string{})
		}, nil},
		{179, "pop_parameter", func(s *server) {
			for _, pop := range []string{"0", "21", "-1", "abc", "%20", "1.5"} {
				s.delete("/v2/queues/q/messages?pop=" + pop).want(400)
			}
			s.delete("/v2/queues/q/messages?pop=20").want(200)
		}, nil},
		{180, "pop", func(s *server) {
			ids := s.posted("q", "1", "2", "3")
			s.advance(3)
			s.delete("/v2/queues/q/messages?pop=2").want(200).wantJSON(`{"messages": [
				{"id": "` + ids[0] + `", "age": 3, "ttl": 3600, "claim_count": 0, "claim_id": null, "body": 1},
				{"id": "` + ids[1] + `", "age": 3, "ttl": 3600, "claim_count": 0, "claim_id": null, "body": 2}]}`)
			equal(s.t, "left", s.listed("q", ""), []string{"3"})
			s.delete("/v2/queues/q/messages?pop=20").want(200)
			s.delete("/v2/queues/q/messages?pop=1").want(200).wantJSON(`{"messages": []}`)
			s.delete("/v2/queues/missing/messages?pop=1").want(200).wantJSON(`{"messages": []}`)
		}, nil},
		{181, "pop_skips_claimed_messages", func(s *server) {
			s.posted("q", "1", "2")
			s.claimed("q", 1, "")
			equal(s.t, "popped", s.delete("/v2/queues/q/messages?pop=20").bodies(), []string{"2"})
		}, nil},
		{182, "pop_skips_delayed_messages", func(s *server) {
			s.put("/v2/queues/q", `{"_default_message_delay": 1}`).want(201)
			s.postedItems("q", `{"body": 1, "delay": 50}`, `{"body": 2, "delay": 0}`, `{"body": 3, "delay": 10}`, `{"body": 4, "delay": 0}`)
			equal(s.t, "at once", s.delete("/v2/queues/q/messages?pop=20").bodies(), []string{"2", "4"})
			s.advance(10)
			equal(s.t, "after 10 s", s.delete("/v2/queues/q/messages?pop=20").bodies(), []string{"3"})
		}, nil},
		{183, "delete_needs_claims_parameters", func(s *server) {
			ids := s.posted("q", "1")
			claim, _ := s.claimed("q", 1, "")
			id, c := ids[0], claimID(claim)
			s.delete("/v2/queues/q/messages?ids=" + id).want(400)
			s.delete("/v2/queues/q/messages?claim_ids=" + c + "&pop=1").want(400)
			s.delete("/v2/queues/q/messages?claim_ids=" + c).want(400)
			s.delete("/v2/queues/q/messages?ids=" + id + "&claim_ids=" + c).want(204)
			s.delete("/v2/queues/q/messages?pop=1").want(200)
			s.delete("/v2/queues/q/messages/" + s.posted("q", "2")[0]).want(204)
		}, deleteNeedsClaims},
		{184, "delete_needs_all_claims", func(s *server) {
			ids := s.posted("q", "1", "2", "3")
			first, _ := s.claimed("q", 1, "")
			second, _ := s.claimed("q", 1, "")
			all := "/v2/queues/q/messages?ids=" + strings.Join(ids, ",") + "&claim_ids="
			s.delete(all + claimID(first) + "," + claimID(second)).want(400)
			two := "/v2/queues/q/messages?ids=" + ids[0] + "," + ids[1] + "&claim_ids="
			s.delete(two + claimID(first)).want(403)
			s.delete(two+"nope").want(400, 403)
			equal(s.t, "left", s.listed("q", "&include_claimed=true"), []string{"1", "2", "3"})
			s.delete(two + claimID(first) + "&claim_ids=" + claimID(second)).want(204)
			equal(s.t, "left", s.listed("q", "&include_claimed=true"), []string{"3"})
		}, deleteNeedsClaims},
	}
}

func deleteNeedsClaims(set *setup) { set.broker.DeleteNeedsClaims = true }
