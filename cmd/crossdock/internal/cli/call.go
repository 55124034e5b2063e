package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
)

type callCmd struct {
	Method  string `arg:"" optional:"" help:"Service and method, such as billing.ApproveFreightBill; without it, the methods are listed." placeholder:"SERVICE.METHOD"`
	Request string `arg:"" optional:"" help:"The request as JSON; - reads it from stdin." default:"{}"`
}

// Help is printed by call --help.
func (c *callCmd) Help() string {
	return `Calls any method of any service with a request in JSON, for what has no command of its own. A change gets a request id, which is printed: the same call with
--request-id has no second effect. Every service also has the methods of its log: freight.RetryTask, workflow.RetryParkedFact and others.`
}

func (c *callCmd) Run(ctx context.Context, in io.Reader, env *Env) error {
	if c.Method == "" {
		return listMethods(env)
	}
	service, md := findMethod(c.Method)
	if md == nil {
		return &failure{status: exitUsage, what: "no method " + c.Method, reason: "USAGE", try: "crossdock call, which lists them"}
	}
	if md.IsStreamingClient() || md.IsStreamingServer() {
		return &failure{status: exitUsage, what: c.Method + " is a stream", reason: "USAGE", try: "crossdock events tail"}
	}
	raw := []byte(c.Request)
	if c.Request == "-" {
		var err error
		if raw, err = io.ReadAll(in); err != nil {
			return err
		}
	}
	req, err := message(md.Input())
	if err != nil {
		return err
	}
	if err := protojson.Unmarshal(raw, req); err != nil {
		return &failure{status: exitUsage, what: err.Error(), reason: "USAGE", try: "field names are those of " + string(md.Input().FullName()) + " in proto/"}
	}
	if fd := md.Input().Fields().ByName("request_id"); fd != nil && fd.Kind() == protoreflect.StringKind && req.ProtoReflect().Get(fd).String() == "" {
		id, err := env.changeID()
		if err != nil {
			return err
		}
		req.ProtoReflect().Set(fd, protoreflect.ValueOfString(id))
	}
	resp, err := message(md.Output())
	if err != nil {
		return err
	}
	cc, err := env.Connect(service)
	if err != nil {
		return err
	}
	full := fmt.Sprintf("/%s/%s", md.Parent().FullName(), md.Name())
	if err := cc.Invoke(ctx, full, req, resp, grpc.WaitForReady(false)); err != nil {
		return err
	}
	return show.MessageJSON(env.Out, resp)
}

// message makes an empty message of a type that this program knows.
func message(d protoreflect.MessageDescriptor) (proto.Message, error) {
	t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", d.FullName(), err)
	}
	return t.New().Interface(), nil
}

// logService is what every service serves beside its own.
const logService = "crossdock.eventlog.v1.EventLogService"

// findMethod finds "service.Method" among the service's own methods and those of its log.
func findMethod(name string) (service string, found protoreflect.MethodDescriptor) {
	service, method, ok := strings.Cut(name, ".")
	if !ok || !slices.Contains(suite.Names(), service) {
		return "", nil
	}
	eachService(func(sd protoreflect.ServiceDescriptor) {
		if md := sd.Methods().ByName(protoreflect.Name(method)); md != nil && (found == nil || sd.FullName() != logService) && serves(service, sd) {
			found = md
		}
	})
	return service, found
}

// serves says whether a program serves a gRPC service.
func serves(service string, sd protoreflect.ServiceDescriptor) bool {
	return sd.FullName() == logService || strings.HasPrefix(string(sd.FullName()), "crossdock."+service+".")
}

func eachService(fn func(protoreflect.ServiceDescriptor)) {
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			if sd := f.Services().Get(i); strings.HasPrefix(string(sd.FullName()), "crossdock.") {
				fn(sd)
			}
		}
		return true
	})
}

// listMethods prints every method that can be called, and those of the log once for each service.
func listMethods(env *Env) error {
	var rows [][]string
	for _, service := range suite.Names() {
		eachService(func(sd protoreflect.ServiceDescriptor) {
			for i := range sd.Methods().Len() {
				md := sd.Methods().Get(i)
				if serves(service, sd) && !md.IsStreamingServer() && !md.IsStreamingClient() {
					rows = append(rows, []string{service + "." + string(md.Name()), string(md.Input().FullName())})
				}
			}
		})
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	switch env.Output {
	case "json":
		names := []string{}
		for _, r := range rows {
			names = append(names, r[0])
		}
		return show.JSON(env.Out, names)
	case "name":
		for _, r := range rows {
			fmt.Fprintln(env.Out, r[0])
		}
		return nil
	}
	return show.Table(env.Out, []show.Column{{Head: "METHOD"}, {Head: "REQUEST"}}, rows)
}
