package core

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
)

// The same feed leaves the same log in every store, however Go orders the maps in its facts.
func TestSameFeedSameLog(t *testing.T) {
	business := clock.Fixed(time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC))
	feed, err := store.Open(t.Context(), store.Options{
		Path: filepath.Join(t.TempDir(), "masterdata.db"), Schema: store.Schema{Service: "masterdata", Version: 1}, Clock: business, NoSync: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	contract := &masterdatav1.Contract{Name: "contracts/C-1", Party: "parties/CUS-XYZ"}
	terms := &masterdatav1.CustomerTerms{Accessorials: map[string]*money.Money{}}
	for i := range 20 {
		terms.Accessorials[fmt.Sprintf("A%02d", i)] = &money.Money{CurrencyCode: "USD", Units: 10}
	}
	contract.Terms = &masterdatav1.Contract_CustomerTerms{CustomerTerms: terms}
	_, err = feed.Change(t.Context(), store.Cause{Principal: "test", Method: "seed"}, func(tx *store.Tx) ([]byte, error) {
		return nil, tx.Emit(store.Fact{Type: "ContractApproved", Subject: contract.Name, Payload: &masterdatav1.ContractApproved{Contract: contract}})
	})
	if err != nil {
		t.Fatal(err)
	}
	var first []byte
	for i := range 5 {
		c, err := Open(t.Context(), Deps{
			DataDir: t.TempDir(), Business: business, IDs: typeid.Sequence(1), Feeds: map[string]eventlog.Source{"masterdata": eventlog.Local(feed)},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, loop := range c.Steppers() {
			if _, err := loop.Stepper.Step(t.Context(), business.Now()); err != nil {
				t.Fatal(err)
			}
		}
		entries, _, err := eventlog.Local(c.Store()).Read(t.Context(), eventlog.Position{}, 10)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%d entries, %v, want the copy of the contract", len(entries), err)
		}
		if i == 0 {
			first = entries[0].Hash
		} else if !bytes.Equal(entries[0].Hash, first) {
			t.Fatalf("store %d: the entry has hash %x, in the first store %x", i, entries[0].Hash, first)
		}
	}
}
