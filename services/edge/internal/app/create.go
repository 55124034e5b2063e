package app

import (
	"context"

	"crossdock.dev/platform/store"
	"crossdock.dev/services/edge/internal/apikey"
	edgestore "crossdock.dev/services/edge/internal/store"
)

// CreateInput asks for a key.
type CreateInput struct {
	Cause         store.Cause
	Party         string
	Roles         []string
	LegalEntities []string
	DisplayName   string
}

// Created is a key and, for the first of equal requests alone, its secret.
type Created struct {
	Key      apikey.Key
	Secret   apikey.Secret
	Repeated bool // there is no secret
	Position store.Position
}

// Create makes a key. The stored answer holds the key without the secret, so a repeat cannot show it again; a partner whose
// answer was lost gets a new key.
func (a *App) Create(ctx context.Context, in CreateInput) (Created, error) {
	secret, err := apikey.NewSecret(a.random)
	if err != nil {
		return Created{}, err
	}
	n := apikey.New{
		ID: a.ids.New("key"), Party: in.Party, Roles: in.Roles, LegalEntities: in.LegalEntities, DisplayName: in.DisplayName,
		Hint: secret.Hint(), Hash: secret.Hash(),
	}
	at := a.business.Now()
	out, err := a.store.Change(ctx, in.Cause, func(tx *store.Tx) ([]byte, error) {
		k, facts, err := apikey.Create(n, at)
		if err != nil {
			return nil, err
		}
		if err := edgestore.Save(ctx, tx, k, facts...); err != nil {
			return nil, err
		}
		return edgestore.Encode(k)
	})
	if err != nil {
		return Created{}, err
	}
	k, err := edgestore.Decode(out.Answer)
	if err != nil {
		return Created{}, err
	}
	if out.Repeated {
		secret = apikey.Secret{}
	}
	return Created{Key: k, Secret: secret, Repeated: out.Repeated, Position: out.Position}, nil
}
