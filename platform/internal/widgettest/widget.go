// Package widgettest is a small service for the tests of the platform: contracts as the suite writes them (policies,
// validation rules, request ids, etags, a stream), built in memory, so that the platform needs no proto of its own that
// only tests use.
package widgettest

import (
	"context"
	"fmt"
	"net/http"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"

	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	"crossdock.dev/platform/auth"
)

// Full method names.
const (
	Service = "crossdock.test.v1.WidgetService"
	Create  = "/" + Service + "/CreateWidget"
	Get     = "/" + Service + "/GetWidget"
	Update  = "/" + Service + "/UpdateWidget"
	Purge   = "/" + Service + "/PurgeWidgets"
	Watch   = "/" + Service + "/WatchWidgets"
	// Bare is a method without a policy, of a service of its own.
	BareService = "crossdock.test.v1.BareService"
	Bare        = "/" + BareService + "/Bare"
)

// Handlers are the service's methods. A nil one answers with the request's widget, or an empty one.
type Handlers struct {
	Create, Get, Update, Purge func(ctx context.Context, in *dynamicpb.Message) (*dynamicpb.Message, error)
	Watch                      func(in *dynamicpb.Message, s grpc.ServerStream) error
}

// Contract is the built descriptors.
type Contract struct {
	files  *protoregistry.Files
	file   protoreflect.FileDescriptor
	widget protoreflect.MessageDescriptor
}

// New builds the contract; it fails only when this file is wrong.
func New() (*Contract, error) {
	file, err := protodesc.NewFile(descriptor(), protoregistry.GlobalFiles)
	if err != nil {
		return nil, fmt.Errorf("widget contract: %w", err)
	}
	files := &protoregistry.Files{}
	if err := files.RegisterFile(file); err != nil {
		return nil, fmt.Errorf("widget contract: %w", err)
	}
	return &Contract{files: files, file: file, widget: file.Messages().ByName("Widget")}, nil
}

// Policies reads the policies of the contract.
func (c *Contract) Policies() *auth.Policies { return auth.NewPolicies(c.files) }

// Files holds the contract's descriptor, for clients that read policies from it.
func (c *Contract) Files() *protoregistry.Files { return c.files }

// Message makes an empty message of the contract by name, such as "CreateWidgetRequest".
func (c *Contract) Message(name string) *dynamicpb.Message {
	return dynamicpb.NewMessage(c.file.Messages().ByName(protoreflect.Name(name)))
}

// Widget makes a widget.
func (c *Contract) Widget(name, label, etag string) *dynamicpb.Message {
	w := dynamicpb.NewMessage(c.widget)
	Set(w, "name", name)
	Set(w, "label", label)
	Set(w, "etag", etag)
	return w
}

// CreateRequest makes a valid request.
func (c *Contract) CreateRequest(requestID string) *dynamicpb.Message {
	m := c.Message("CreateWidgetRequest")
	Set(m, "label", "one")
	Set(m, "code_word", "AB")
	Set(m, "request_id", requestID)
	return m
}

// Set sets a text field.
func Set(m *dynamicpb.Message, field, value string) {
	m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(field)), protoreflect.ValueOfString(value))
}

// Text reads a text field.
func Text(m protoreflect.ProtoMessage, field string) string {
	r := m.ProtoReflect()
	return r.Get(r.Descriptor().Fields().ByName(protoreflect.Name(field))).String()
}

// Register registers the service with h.
func (c *Contract) Register(h Handlers) func(grpc.ServiceRegistrar) {
	return func(r grpc.ServiceRegistrar) {
		r.RegisterService(&grpc.ServiceDesc{
			ServiceName: Service,
			HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{
				c.method("CreateWidget", "CreateWidgetRequest", h.Create),
				c.method("GetWidget", "GetWidgetRequest", h.Get),
				c.method("UpdateWidget", "UpdateWidgetRequest", h.Update),
				c.method("PurgeWidgets", "GetWidgetRequest", h.Purge),
			},
			Streams: []grpc.StreamDesc{{StreamName: "WatchWidgets", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
				in := c.Message("GetWidgetRequest")
				if err := s.RecvMsg(in); err != nil {
					return err
				}
				if h.Watch == nil {
					return nil
				}
				return h.Watch(in, s)
			}}},
		}, nil)
	}
}

// RegisterBare registers a method that has no policy.
func (c *Contract) RegisterBare(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: BareService, HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{c.method("Bare", "GetWidgetRequest", nil)},
	}, nil)
}

func (c *Contract) method(name, input string, fn func(context.Context, *dynamicpb.Message) (*dynamicpb.Message, error)) grpc.MethodDesc {
	if fn == nil {
		fn = func(context.Context, *dynamicpb.Message) (*dynamicpb.Message, error) {
			return dynamicpb.NewMessage(c.widget), nil
		}
	}
	service := Service
	if name == "Bare" {
		service = BareService
	}
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		in := c.Message(input)
		if err := decode(in); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, req any) (any, error) { return fn(ctx, req.(*dynamicpb.Message)) }
		if intercept == nil {
			return handler(ctx, in)
		}
		return intercept(ctx, in, &grpc.UnaryServerInfo{FullMethod: "/" + service + "/" + name}, handler)
	}}
}

// Gateway is the REST mapping as the generator would write it.
func (c *Contract) Gateway(_ context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
	for _, route := range []struct{ method, path, full, input string }{
		{http.MethodPost, "/v1/widgets", Create, "CreateWidgetRequest"},
		{http.MethodGet, "/v1/{name=widgets/*}", Get, "GetWidgetRequest"},
		{http.MethodPatch, "/v1/{name=widgets/*}", Update, "UpdateWidgetRequest"},
		{http.MethodPost, "/v1/{name=widgets/*}:purge", Purge, "GetWidgetRequest"},
	} {
		err := mux.HandlePath(route.method, route.path, func(w http.ResponseWriter, r *http.Request, params map[string]string) {
			c.forward(mux, conn, route.full, c.Message(route.input), w, r, params)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Contract) forward(mux *runtime.ServeMux, conn *grpc.ClientConn, full string, in *dynamicpb.Message, w http.ResponseWriter, r *http.Request, params map[string]string) {
	inbound, outbound := runtime.MarshalerForRequest(mux, r)
	ctx, err := runtime.AnnotateContext(r.Context(), mux, r, full)
	if err != nil {
		runtime.HTTPError(r.Context(), mux, outbound, w, r, err)
		return
	}
	if r.ContentLength > 0 {
		if err := inbound.NewDecoder(r.Body).Decode(in); err != nil {
			runtime.HTTPError(ctx, mux, outbound, w, r, status.Errorf(codes.InvalidArgument, "%v", err))
			return
		}
	}
	if name, ok := params["name"]; ok {
		Set(in, "name", name)
	}
	var md runtime.ServerMetadata
	out := dynamicpb.NewMessage(c.widget)
	err = conn.Invoke(ctx, full, in, out, grpc.Header(&md.HeaderMD), grpc.Trailer(&md.TrailerMD))
	ctx = runtime.NewServerMetadataContext(ctx, md)
	if err != nil {
		runtime.HTTPError(ctx, mux, outbound, w, r, err)
		return
	}
	runtime.ForwardResponseMessage(ctx, mux, outbound, w, r, out, mux.GetForwardResponseOptions()...)
}

func descriptor() *descriptorpb.FileDescriptorProto {
	text := func(number int32, name string, rules *validate.StringRules) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: &number,
			Type:  descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if rules != nil {
			f.Options = &descriptorpb.FieldOptions{}
			proto.SetExtension(f.Options, validate.E_Field, validate.FieldRules_builder{String: rules}.Build())
		}
		return f
	}
	message := func(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
		return &descriptorpb.DescriptorProto{Name: &name, Field: fields}
	}
	widgetField := func(number int32) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: proto.String("widget"), Number: &number, TypeName: proto.String(".crossdock.test.v1.Widget"),
			Type:  descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
	}
	required := func() *validate.StringRules { return validate.StringRules_builder{MinLen: proto.Uint64(1)}.Build() }
	method := func(name, input string, streams bool, p *governancev1.MethodPolicy) *descriptorpb.MethodDescriptorProto {
		m := &descriptorpb.MethodDescriptorProto{
			Name: &name, InputType: proto.String(".crossdock.test.v1." + input), OutputType: proto.String(".crossdock.test.v1.Widget"),
			ServerStreaming: &streams,
		}
		if p != nil {
			m.Options = &descriptorpb.MethodOptions{}
			proto.SetExtension(m.Options, governancev1.E_Method, p)
		}
		return m
	}
	return &descriptorpb.FileDescriptorProto{
		Name: proto.String("crossdock/test/v1/widget.proto"), Package: proto.String("crossdock.test.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			message("Widget", text(1, "name", nil), text(2, "label", nil), text(3, "etag", nil)),
			message("CreateWidgetRequest", text(1, "label", required()),
				text(2, "code_word", validate.StringRules_builder{Pattern: proto.String("^[A-Z]{2}$")}.Build()), text(3, "request_id", required())),
			message("GetWidgetRequest", text(1, "name", nil)),
			message("UpdateWidgetRequest", text(1, "name", nil), widgetField(2), text(3, "request_id", required())),
		},
		Service: []*descriptorpb.ServiceDescriptorProto{
			{Name: proto.String("WidgetService"), Method: []*descriptorpb.MethodDescriptorProto{
				method("CreateWidget", "CreateWidgetRequest", false,
					Policy("widgets.write", governancev1.MethodPolicy_PARTNER, governancev1.MethodPolicy_REQUEST_ID, "workflow")),
				method("GetWidget", "GetWidgetRequest", false,
					Policy("widgets.read", governancev1.MethodPolicy_PARTNER, governancev1.MethodPolicy_READ, "*")),
				method("UpdateWidget", "UpdateWidgetRequest", false,
					Policy("widgets.write", governancev1.MethodPolicy_PARTNER, governancev1.MethodPolicy_REQUEST_ID)),
				method("PurgeWidgets", "GetWidgetRequest", false,
					Policy("widgets.purge", governancev1.MethodPolicy_INTERNAL, governancev1.MethodPolicy_REQUEST_ID)),
				method("WatchWidgets", "GetWidgetRequest", true,
					Policy("widgets.read", governancev1.MethodPolicy_INTERNAL, governancev1.MethodPolicy_READ, "*")),
			}},
			{Name: proto.String("BareService"), Method: []*descriptorpb.MethodDescriptorProto{
				method("Bare", "GetWidgetRequest", false, nil),
			}},
		},
	}
}

// Policy is a complete policy.
func Policy(scope string, v governancev1.MethodPolicy_Visibility, i governancev1.MethodPolicy_Idempotency, callers ...string) *governancev1.MethodPolicy {
	return &governancev1.MethodPolicy{
		Owner: "platform", Tier: governancev1.MethodPolicy_SYSTEM, Scope: scope, Visibility: v,
		Criticality: governancev1.MethodPolicy_T2, Idempotency: i, RateClass: governancev1.MethodPolicy_CHANGE,
		Lifecycle: governancev1.MethodPolicy_PUBLISHED,
		Slo:       &governancev1.MethodPolicy_Slo{P99: durationpb.New(100_000_000), AvailabilityPercent: "99"},
		Callers:   callers,
	}
}
