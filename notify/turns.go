package notify

import (
	"slices"

	"zaqar/messaging"
)

// fifo is a queue in memory.
type fifo[T any] struct {
	list []T
	head int
}

func (f *fifo[T]) len() int { return len(f.list) - f.head }

func (f *fifo[T]) push(x T) { f.list = append(f.list, x) }

// first returns what pop would take; there must be something.
func (f *fifo[T]) first() T { return f.list[f.head] }

func (f *fifo[T]) pop() T {
	var none T
	x := f.list[f.head]
	f.list[f.head] = none
	f.head++
	switch {
	case f.head == len(f.list):
		f.list, f.head = f.list[:0], 0
		if cap(f.list) > keptRoom {
			f.list = nil
		}
	case f.head > keptRoom && f.head > len(f.list)/2:
		f.list = append([]T(nil), f.list[f.head:]...)
		f.head = 0
	}
	return x
}

// unpop puts something in front.
func (f *fifo[T]) unpop(x T) {
	if f.head == 0 {
		f.list = slices.Insert(f.list, 0, x)
		return
	}
	f.head--
	f.list[f.head] = x
}

// keptRoom is for how many a fifo keeps room when it is empty.
const keptRoom = 64

// turns is a queue in which projects take turns.
type turns[T any] struct {
	order fifo[*tenant[T]]
	of    map[messaging.Project]*tenant[T]
	n     int
}

type tenant[T any] struct {
	project messaging.Project
	items   fifo[T]
}

func (t *turns[T]) len() int { return t.n }

func (t *turns[T]) push(p messaging.Project, x T) {
	if t.of == nil {
		t.of = map[messaging.Project]*tenant[T]{}
	}
	who := t.of[p]
	if who == nil {
		who = &tenant[T]{project: p}
		t.of[p] = who
		t.order.push(who)
	}
	who.items.push(x)
	t.n++
}

// popIf takes the first of the project whose turn it is among those that may; false
// if there is none. Those passed over go behind the others.
func (t *turns[T]) popIf(may func(messaging.Project) bool) (x T, ok bool) {
	for range t.order.len() {
		if may(t.order.first().project) {
			return t.pop(), true
		}
		t.order.push(t.order.pop())
	}
	return x, false
}

// pop takes the first of the project whose turn it is; there must be one.
func (t *turns[T]) pop() T {
	who := t.order.pop()
	x := who.items.pop()
	if who.items.len() > 0 {
		t.order.push(who)
	} else {
		delete(t.of, who.project)
	}
	t.n--
	return x
}
