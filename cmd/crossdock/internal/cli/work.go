package cli

import (
	"context"
	"strconv"
	"strings"

	"google.golang.org/grpc"

	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
)

func number(n int32) string { return strconv.Itoa(int(n)) }

func processes() resource[*workflowv1.Process, *workflowv1.ListProcessesRequest] {
	return resource[*workflowv1.Process, *workflowv1.ListProcessesRequest]{
		service: "workflow", collection: "processes",
		list: func(ctx context.Context, cc grpc.ClientConnInterface, f *workflowv1.ListProcessesRequest, size int32, token string) ([]*workflowv1.Process, string, error) {
			f.PageSize, f.PageToken = size, token
			resp, err := workflowv1.NewWorkflowServiceClient(cc).ListProcesses(ctx, f)
			return resp.GetProcesses(), resp.GetNextPageToken(), err
		},
		get: func(ctx context.Context, cc grpc.ClientConnInterface, name string) (*workflowv1.Process, error) {
			return workflowv1.NewWorkflowServiceClient(cc).GetProcess(ctx, &workflowv1.GetProcessRequest{Name: name})
		},
		columns: []column[*workflowv1.Process]{
			{head: "PROCESS", text: func(m *workflowv1.Process) string { return show.ID(m.GetName()) }},
			{head: "PO", text: func(m *workflowv1.Process) string { return show.Text(m.GetCustomerOrderNumber()) }},
			{head: "STATE", text: func(m *workflowv1.Process) string { return show.Enum(m.GetState()) }},
			{head: "WAITS FOR", text: func(m *workflowv1.Process) string { return show.Text(m.GetWaitsFor()) }},
			{head: "UNTIL", text: func(m *workflowv1.Process) string { return show.Time(m.GetWaitsUntil()) }},
			{head: "BEGUN", text: func(m *workflowv1.Process) string { return show.Time(m.GetCreateTime()) }},
			{head: "ENDED", text: func(m *workflowv1.Process) string { return show.Time(m.GetEndTime()) }},
		},
	}
}

type processesCmd struct {
	List processesListCmd `cmd:"" help:"List processes, newest first."`
	Get  processesGetCmd  `cmd:"" help:"Show a process by name or id: where it is stuck, and its steps."`
}

type processesListCmd struct {
	Paging
	Order string `help:"Only of this order: name, id or the customer's order number."`
}

func (c *processesListCmd) Run(ctx context.Context, env *Env) error {
	order, err := orders().resolve(ctx, env, c.Order)
	if err != nil {
		return err
	}
	return processes().runList(ctx, env, &workflowv1.ListProcessesRequest{Order: order}, c.Limit)
}

type processesGetCmd struct{ ref }

func (c *processesGetCmd) Run(ctx context.Context, env *Env) error {
	return processes().runGet(ctx, env, c.Ref)
}

func workItems() resource[*workflowv1.WorkItem, *workflowv1.ListWorkItemsRequest] {
	return resource[*workflowv1.WorkItem, *workflowv1.ListWorkItemsRequest]{
		service: "workflow", collection: "workItems",
		list: func(ctx context.Context, cc grpc.ClientConnInterface, f *workflowv1.ListWorkItemsRequest, size int32, token string) ([]*workflowv1.WorkItem, string, error) {
			f.PageSize, f.PageToken = size, token
			resp, err := workflowv1.NewWorkflowServiceClient(cc).ListWorkItems(ctx, f)
			return resp.GetWorkItems(), resp.GetNextPageToken(), err
		},
		get: func(ctx context.Context, cc grpc.ClientConnInterface, name string) (*workflowv1.WorkItem, error) {
			return workflowv1.NewWorkflowServiceClient(cc).GetWorkItem(ctx, &workflowv1.GetWorkItemRequest{Name: name})
		},
		columns: []column[*workflowv1.WorkItem]{
			{head: "WORK ITEM", text: func(m *workflowv1.WorkItem) string { return show.ID(m.GetName()) }},
			{head: "STATE", text: func(m *workflowv1.WorkItem) string { return show.Enum(m.GetState()) }},
			{head: "OWNER", text: func(m *workflowv1.WorkItem) string { return show.Text(m.GetOwner()) }},
			{head: "REASON", text: func(m *workflowv1.WorkItem) string { return show.Text(m.GetReason()) }},
			{head: "SUBJECT", text: func(m *workflowv1.WorkItem) string { return show.Text(m.GetSubject()) }},
			{head: "OPENED", text: func(m *workflowv1.WorkItem) string { return show.Time(m.GetCreateTime()) }},
			{head: "DUE", text: func(m *workflowv1.WorkItem) string { return show.Time(m.GetDueTime()) }},
			{head: "OVERDUE", text: func(m *workflowv1.WorkItem) string { return show.Time(m.GetOverdueTime()) }},
			{head: "DETAIL", text: func(m *workflowv1.WorkItem) string { return show.Text(m.GetDetail()) }},
		},
	}
}

type workItemsCmd struct {
	List  workItemsListCmd  `cmd:"" help:"List what waits for a person, newest first."`
	Get   workItemsGetCmd   `cmd:"" help:"Show a work item by name or id."`
	Close workItemsCloseCmd `cmd:"" help:"Close a work item after having seen to it."`
}

type workItemsListCmd struct {
	Paging
	State   string `help:"open, closed or all." enum:"open,closed,all" default:"open"`
	Owner   string `help:"Only of this team: operations, finance, masterdata or integration."`
	Overdue bool   `help:"Only those that were not dealt with until they were due."`
}

func (c *workItemsListCmd) Run(ctx context.Context, env *Env) error {
	state := workflowv1.WorkItem_State(workflowv1.WorkItem_State_value[strings.ToUpper(c.State)]) // all is none of them
	return workItems().runList(ctx, env, &workflowv1.ListWorkItemsRequest{State: state, Owner: c.Owner, Overdue: c.Overdue}, c.Limit)
}

type workItemsGetCmd struct{ ref }

func (c *workItemsGetCmd) Run(ctx context.Context, env *Env) error {
	return workItems().runGet(ctx, env, c.Ref)
}

type workItemsCloseCmd struct {
	ref
	Note string `help:"What was done, in words." required:""`
	Etag string `help:"Close only if it is still at this revision."`
}

func (c *workItemsCloseCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect("workflow")
	if err != nil {
		return err
	}
	name, _ := workItems().nameOf(c.Ref)
	id, err := env.changeID()
	if err != nil {
		return err
	}
	m, err := workflowv1.NewWorkflowServiceClient(cc).CloseWorkItem(ctx,
		&workflowv1.CloseWorkItemRequest{Name: name, Note: c.Note, Etag: c.Etag, RequestId: id})
	if err != nil {
		return err
	}
	return printOne(env, m)
}
