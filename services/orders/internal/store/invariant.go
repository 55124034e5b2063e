package store

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	ordersstoragev1 "crossdock.dev/gen/crossdock/orders/storage/v1"
	platform "crossdock.dev/platform/store"
)

// checkQuantities is invariant I4: the numbers of every order line add up, and what is released of it is the sum of its
// parts in the order's releases, number by number.
func checkQuantities(ctx context.Context, pr platform.Reader) (breaches []string, err error) {
	r := Reader{pr}
	err = platform.Each(ctx, pr, orders, nil, func(kv platform.KV) error {
		rec := &ordersstoragev1.OrderRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			breaches = append(breaches, fmt.Sprintf("order record %q: %v", kv.Key, err))
			return nil
		}
		o, err := r.Order(ctx, rec.Name, "")
		if err != nil { // numbers that do not add up cannot be read
			breaches = append(breaches, err.Error())
			return ctx.Err()
		}
		all, err := r.Releases(ctx, o, func(int) bool { return true })
		if err != nil {
			breaches = append(breaches, err.Error())
			return ctx.Err()
		}
		if err := o.CheckReleases(all); err != nil {
			breaches = append(breaches, err.Error())
		}
		return nil
	})
	return breaches, err
}
