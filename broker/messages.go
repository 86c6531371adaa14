package broker

import (
	"context"
	"strconv"

	"zaqar/messaging"
	"zaqar/storage"
)

// ListMessages returns a page of messages, oldest first. With Wait it waits
// for a first message that passes the filters; a wait that ends without one
// gives an empty page (http-v2 §8.3).
func (b *Broker) ListMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, in ListMessages) (Messages, error) {
	defer b.follow(&ctx, who, "ListMessages")()
	s, err := b.enter(ctx, who, q, "messages:get_all")
	if err != nil {
		return Messages{}, err
	}
	limit, err := pageSize(in.Limit, s.MaxMessagesPerPage)
	if err != nil {
		return Messages{}, err
	}
	if err := s.checkWait(in.Wait, in.Waiter); err != nil {
		return Messages{}, err
	}
	scan := storage.Scan{Limit: limit, Claimed: in.IncludeClaimed, Arena: in.Arena}
	if !in.Echo {
		scan.Hide = who.Client
	}
	scan.After, scan.AfterID = place(in.Marker)
	var page []messaging.Message
	err = b.await(ctx, q, false, in.Wait, in.Waiter, func() (finding, error) {
		s := b.active.Load() // may change during the wait
		r, err := b.record(ctx, q)
		if err != nil {
			return finding{}, err
		}
		scan.Delayed = in.IncludeDelayed || s.undelayed(r)
		page, err = b.messagesPage(ctx, s, q, scan)
		return finding{some: len(page) > 0}, err
	})
	if err != nil {
		return Messages{}, err
	}
	return Messages{Now: b.now(), List: page}, nil
}

// place reads a marker: a position, or else the id of a message. What is
// neither is the id of a message that does not exist.
func place(marker string) (messaging.Position, messaging.MessageID) {
	if marker == "" {
		return 0, ""
	}
	n, err := strconv.ParseUint(marker, 10, 64)
	if err == nil {
		return messaging.Position(n), ""
	}
	return 0, messaging.MessageID(marker)
}

// messagesPage reads on until the page is full of messages that can be opened.
func (b *Broker) messagesPage(ctx context.Context, s *setup, q messaging.QueueRef, scan storage.Scan) ([]messaging.Message, error) {
	var page []messaging.Message
	var shut error
	for limit := scan.Limit; ; {
		scan.Limit = limit - len(page)
		found, err := b.data.Scan(ctx, q, scan)
		if err != nil {
			return nil, fault(err)
		}
		more := len(found) == scan.Limit
		if more {
			scan.After, scan.AfterID = found[len(found)-1].Position, ""
		}
		found, err = b.opened(ctx, s, q, found)
		if err != nil {
			shut = err
		}
		if page == nil {
			page = found
		} else {
			page = append(page, found...)
		}
		switch {
		case more && len(page) < limit:
		case len(page) == 0:
			return nil, shut
		default:
			return page, nil
		}
	}
}

// GetMessages returns those of the messages that exist, in the order of the
// ids, each once. NotFound if none does (http-v2 §8.4).
func (b *Broker) GetMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, ids []messaging.MessageID) (Messages, error) {
	defer b.follow(&ctx, who, "GetMessages")()
	s, err := b.enter(ctx, who, q, "messages:get_all")
	if err != nil {
		return Messages{}, err
	}
	if err := counted("The number of ids", len(ids), s.MaxMessagesPerPage); err != nil {
		return Messages{}, err
	}
	return b.fetch(ctx, s, q, ids)
}

// GetMessage returns the message, or NotFound (http-v2 §8.5).
func (b *Broker) GetMessage(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.MessageID) (Messages, error) {
	defer b.follow(&ctx, who, "GetMessage")()
	s, err := b.enter(ctx, who, q, "messages:get")
	if err != nil {
		return Messages{}, err
	}
	return b.fetch(ctx, s, q, []messaging.MessageID{id})
}

func (b *Broker) fetch(ctx context.Context, s *setup, q messaging.QueueRef, ids []messaging.MessageID) (Messages, error) {
	found, err := b.data.Fetch(ctx, q, ids)
	if err != nil {
		return Messages{}, fault(err)
	}
	if len(found) == 0 {
		what := "The message does not exist."
		if len(ids) > 1 {
			what = "None of the messages exists."
		}
		return Messages{}, messaging.E(messaging.NotFound, what)
	}
	if found, err = b.opened(ctx, s, q, found); err != nil {
		return Messages{}, err
	}
	return Messages{Now: b.now(), List: found}, nil
}
