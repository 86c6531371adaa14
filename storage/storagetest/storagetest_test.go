package storagetest_test

import (
	"testing"

	"zaqar/storage"
	"zaqar/storage/memory"
	"zaqar/storage/storagetest"
)

// onMemory runs the suite on the reference model.
var onMemory = storagetest.Harness{
	Open: func(_ testing.TB, env storage.Env) storagetest.Store { return memory.New(env) },
}

func TestMemory(t *testing.T) { storagetest.Run(t, onMemory) }
