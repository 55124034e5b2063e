package cli

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
)

func keys() resource[*edgev1.ApiKey, struct{}] {
	return resource[*edgev1.ApiKey, struct{}]{
		service: "edge", collection: "apiKeys",
		list: func(ctx context.Context, cc grpc.ClientConnInterface, _ struct{}, size int32, token string) ([]*edgev1.ApiKey, string, error) {
			resp, err := edgev1.NewEdgeServiceClient(cc).ListApiKeys(ctx, &edgev1.ListApiKeysRequest{PageSize: size, PageToken: token})
			return resp.GetApiKeys(), resp.GetNextPageToken(), err
		},
		columns: []column[*edgev1.ApiKey]{
			{head: "KEY", text: func(m *edgev1.ApiKey) string { return show.ID(m.GetName()) }},
			{head: "PARTY", text: func(m *edgev1.ApiKey) string { return show.ID(m.GetParty()) }},
			{head: "ROLES", text: func(m *edgev1.ApiKey) string { return strings.Join(m.GetRoles(), ", ") }},
			{head: "STATE", text: func(m *edgev1.ApiKey) string { return show.Enum(m.GetState()) }},
			{head: "BEGINS", text: func(m *edgev1.ApiKey) string { return show.Text(m.GetHint()) }},
			{head: "MADE", text: func(m *edgev1.ApiKey) string { return show.Time(m.GetCreateTime()) }},
			{head: "REVOKED", text: func(m *edgev1.ApiKey) string { return show.Time(m.GetRevokeTime()) }},
			{head: "FOR", text: func(m *edgev1.ApiKey) string { return show.Text(m.GetDisplayName()) }},
		},
	}
}

type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Make a key for a partner; the secret is printed once."`
	List   keysListCmd   `cmd:"" help:"List keys, newest first."`
	Revoke keysRevokeCmd `cmd:"" help:"Close the door for a key, at once."`
}

type keysCreateCmd struct {
	Party         string   `arg:"" help:"The partner, such as CAR-CXBB."`
	Role          []string `help:"customer or carrier; may be repeated." enum:"customer,carrier" required:""`
	LegalEntities []string `name:"legal-entity" help:"A legal entity that the partner deals with; may be repeated."`
	For           string   `help:"What it is for, in words."`
}

func (c *keysCreateCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect("edge")
	if err != nil {
		return err
	}
	id, err := env.changeID()
	if err != nil {
		return err
	}
	resp, err := edgev1.NewEdgeServiceClient(cc).CreateApiKey(ctx, &edgev1.CreateApiKeyRequest{
		ApiKey:    &edgev1.ApiKey{Party: party(c.Party), Roles: c.Role, LegalEntities: c.LegalEntities, DisplayName: c.For},
		RequestId: id,
	})
	if err != nil {
		return err
	}
	switch env.Output {
	case "json":
		return show.MessageJSON(env.Out, resp)
	case "name":
		_, err := fmt.Fprintln(env.Out, resp.GetApiKey().GetName())
		return err
	}
	if err := show.Detail(env.Out, resp.GetApiKey()); err != nil {
		return err
	}
	if resp.GetSecret() == "" {
		_, err := fmt.Fprintln(env.Err, "the secret was shown in the answer to the first call; if it is lost, revoke the key and make another")
		return err
	}
	if _, err := fmt.Fprintf(env.Out, "\nsecret          %s\n", resp.GetSecret()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Err, "keep it now: it is not shown again")
	return err
}

type keysListCmd struct{ Paging }

func (c *keysListCmd) Run(ctx context.Context, env *Env) error {
	return keys().runList(ctx, env, struct{}{}, c.Limit)
}

type keysRevokeCmd struct {
	Key string `arg:"" help:"Name or id of the key."`
}

func (c *keysRevokeCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect("edge")
	if err != nil {
		return err
	}
	name, _ := keys().nameOf(c.Key)
	id, err := env.changeID()
	if err != nil {
		return err
	}
	m, err := edgev1.NewEdgeServiceClient(cc).RevokeApiKey(ctx, &edgev1.RevokeApiKeyRequest{Name: name, RequestId: id})
	if err != nil {
		return err
	}
	return printOne(env, m)
}
