package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "crossdock.dev/gen/crossdock/edge/storage/v1"
	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/edge/internal/apikey"
)

// ErrNotFound: there is no such key.
var ErrNotFound = store.ErrNotFound

// Key reads a key by its id.
func Key(ctx context.Context, r store.Reader, id string) (apikey.Key, error) {
	rec, err := keyTable.Get(ctx, r, store.Key(id))
	if err != nil {
		return apikey.Key{}, err
	}
	return keyOf(rec)
}

// KeyByHash reads the key whose secret has this hash.
func KeyByHash(ctx context.Context, r store.Reader, h apikey.Hash) (apikey.Key, error) {
	row, err := r.Get(ctx, byHash, h[:])
	if err != nil {
		return apikey.Key{}, err
	}
	rec, err := keyTable.Get(ctx, r, row)
	if err != nil {
		return apikey.Key{}, fmt.Errorf("key of a hash: %w", err)
	}
	return keyOf(rec)
}

// KeyPage reads up to n keys, newest first, that are older than the one with id before; all when it is empty.
func KeyPage(ctx context.Context, r store.Reader, before string, n int) ([]apikey.Key, error) {
	rg := store.Range{Reverse: true, Limit: n}
	if before != "" {
		rg.To = store.Key(before)
	}
	rows, err := keyTable.Scan(ctx, r, rg)
	if err != nil {
		return nil, err
	}
	out := make([]apikey.Key, len(rows))
	for i, row := range rows {
		if out[i], err = keyOf(row.Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Save writes a key and tells its facts.
func Save(ctx context.Context, tx *store.Tx, k apikey.Key, facts ...apikey.Fact) error {
	key := store.Key(k.ID)
	if err := keyTable.Put(ctx, tx, key, recordOf(k)); err != nil {
		return err
	}
	if err := tx.Put(ctx, byHash, k.Hash[:], key); err != nil {
		return err
	}
	for _, f := range facts {
		var typ string
		var payload proto.Message
		switch f := f.(type) {
		case apikey.Created:
			typ, payload = "ApiKeyCreated", &edgev1.ApiKeyCreated{ApiKey: Proto(f.Key)}
		case apikey.RevokedFact:
			typ, payload = "ApiKeyRevoked", &edgev1.ApiKeyRevoked{ApiKey: Proto(f.Key)}
		default:
			return fmt.Errorf("save %s: fact %T has no message", k.ID, f)
		}
		err := tx.Emit(store.Fact{Type: typ, Subject: k.Name(), Related: []string{k.Name(), k.Party}, Payload: payload})
		if err != nil {
			return err
		}
	}
	return nil
}

// Encode is a key as the bytes of an answer that is kept for a repeat.
func Encode(k apikey.Key) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(recordOf(k))
}

// Decode reads what Encode wrote.
func Decode(data []byte) (apikey.Key, error) {
	rec := &storagev1.KeyRecord{}
	if err := proto.Unmarshal(data, rec); err != nil {
		return apikey.Key{}, fmt.Errorf("stored answer: %w", err)
	}
	return keyOf(rec)
}

// Proto is a key as callers and readers of the log see it.
func Proto(k apikey.Key) *edgev1.ApiKey {
	m := &edgev1.ApiKey{
		Name: k.Name(), Party: k.Party, Roles: k.Roles, LegalEntities: k.LegalEntities, DisplayName: k.DisplayName,
		State: edgev1.ApiKey_State(k.State), CreateTime: timestamppb.New(k.CreateTime), Hint: k.Hint,
	}
	if !k.RevokeTime.IsZero() {
		m.RevokeTime = timestamppb.New(k.RevokeTime)
	}
	return m
}

func recordOf(k apikey.Key) *storagev1.KeyRecord {
	return &storagev1.KeyRecord{ApiKey: Proto(k), SecretHash: k.Hash[:]}
}

var errBadRecord = errors.New("record of a key is not whole")

func keyOf(rec *storagev1.KeyRecord) (apikey.Key, error) {
	m := rec.GetApiKey()
	id, ok := ID(m.GetName())
	if !ok || len(rec.GetSecretHash()) != len(apikey.Hash{}) {
		return apikey.Key{}, fmt.Errorf("%w: %q", errBadRecord, m.GetName())
	}
	k := apikey.Key{
		ID: id, Party: m.GetParty(), Roles: m.GetRoles(), LegalEntities: m.GetLegalEntities(), DisplayName: m.GetDisplayName(),
		State: apikey.State(m.GetState()), CreateTime: timeOf(m.GetCreateTime()), RevokeTime: timeOf(m.GetRevokeTime()),
		Hint: m.GetHint(), Hash: apikey.Hash(rec.GetSecretHash()),
	}
	return k, nil
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// ID is the id in a key's resource name.
func ID(name string) (string, bool) {
	id, ok := strings.CutPrefix(name, "apiKeys/")
	return id, ok && id != ""
}
