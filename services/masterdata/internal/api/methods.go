package api

import (
	"context"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/services/masterdata/internal/catalog"
)

// GetLegalEntity returns one by name.
func (s *Server) GetLegalEntity(ctx context.Context, r *masterdatav1.GetLegalEntityRequest) (*masterdatav1.LegalEntity, error) {
	return get[*masterdatav1.LegalEntity](ctx, s, r.GetName())
}

// ListLegalEntities pages through all by name.
func (s *Server) ListLegalEntities(ctx context.Context, r *masterdatav1.ListLegalEntitiesRequest) (*masterdatav1.ListLegalEntitiesResponse, error) {
	rows, next, err := list[*masterdatav1.LegalEntity](ctx, s, catalog.LegalEntity, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListLegalEntitiesResponse{LegalEntities: rows, NextPageToken: next}, nil
}

// UpdateLegalEntity changes one or creates it.
func (s *Server) UpdateLegalEntity(ctx context.Context, r *masterdatav1.UpdateLegalEntityRequest) (*masterdatav1.LegalEntity, error) {
	return update(ctx, s, catalog.LegalEntity, r.GetLegalEntity(), r)
}

// GetParty returns one by name.
func (s *Server) GetParty(ctx context.Context, r *masterdatav1.GetPartyRequest) (*masterdatav1.Party, error) {
	return get[*masterdatav1.Party](ctx, s, r.GetName())
}

// ListParties pages through all by name.
func (s *Server) ListParties(ctx context.Context, r *masterdatav1.ListPartiesRequest) (*masterdatav1.ListPartiesResponse, error) {
	rows, next, err := list[*masterdatav1.Party](ctx, s, catalog.Party, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListPartiesResponse{Parties: rows, NextPageToken: next}, nil
}

// UpdateParty changes one or creates it.
func (s *Server) UpdateParty(ctx context.Context, r *masterdatav1.UpdatePartyRequest) (*masterdatav1.Party, error) {
	return update(ctx, s, catalog.Party, r.GetParty(), r)
}

// GetLocation returns one by name.
func (s *Server) GetLocation(ctx context.Context, r *masterdatav1.GetLocationRequest) (*masterdatav1.Location, error) {
	return get[*masterdatav1.Location](ctx, s, r.GetName())
}

// ListLocations pages through all by name.
func (s *Server) ListLocations(ctx context.Context, r *masterdatav1.ListLocationsRequest) (*masterdatav1.ListLocationsResponse, error) {
	rows, next, err := list[*masterdatav1.Location](ctx, s, catalog.Location, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListLocationsResponse{Locations: rows, NextPageToken: next}, nil
}

// UpdateLocation changes one or creates it.
func (s *Server) UpdateLocation(ctx context.Context, r *masterdatav1.UpdateLocationRequest) (*masterdatav1.Location, error) {
	return update(ctx, s, catalog.Location, r.GetLocation(), r)
}

// GetItem returns one by name.
func (s *Server) GetItem(ctx context.Context, r *masterdatav1.GetItemRequest) (*masterdatav1.Item, error) {
	return get[*masterdatav1.Item](ctx, s, r.GetName())
}

// ListItems pages through all by name.
func (s *Server) ListItems(ctx context.Context, r *masterdatav1.ListItemsRequest) (*masterdatav1.ListItemsResponse, error) {
	rows, next, err := list[*masterdatav1.Item](ctx, s, catalog.Item, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListItemsResponse{Items: rows, NextPageToken: next}, nil
}

// UpdateItem changes one or creates it.
func (s *Server) UpdateItem(ctx context.Context, r *masterdatav1.UpdateItemRequest) (*masterdatav1.Item, error) {
	return update(ctx, s, catalog.Item, r.GetItem(), r)
}

// GetCalendar returns one by name.
func (s *Server) GetCalendar(ctx context.Context, r *masterdatav1.GetCalendarRequest) (*masterdatav1.Calendar, error) {
	return get[*masterdatav1.Calendar](ctx, s, r.GetName())
}

// ListCalendars pages through all by name.
func (s *Server) ListCalendars(ctx context.Context, r *masterdatav1.ListCalendarsRequest) (*masterdatav1.ListCalendarsResponse, error) {
	rows, next, err := list[*masterdatav1.Calendar](ctx, s, catalog.Calendar, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListCalendarsResponse{Calendars: rows, NextPageToken: next}, nil
}

// UpdateCalendar changes one or creates it.
func (s *Server) UpdateCalendar(ctx context.Context, r *masterdatav1.UpdateCalendarRequest) (*masterdatav1.Calendar, error) {
	return update(ctx, s, catalog.Calendar, r.GetCalendar(), r)
}

// GetLane returns one by name.
func (s *Server) GetLane(ctx context.Context, r *masterdatav1.GetLaneRequest) (*masterdatav1.Lane, error) {
	return get[*masterdatav1.Lane](ctx, s, r.GetName())
}

// ListLanes pages through all by name.
func (s *Server) ListLanes(ctx context.Context, r *masterdatav1.ListLanesRequest) (*masterdatav1.ListLanesResponse, error) {
	rows, next, err := list[*masterdatav1.Lane](ctx, s, catalog.Lane, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListLanesResponse{Lanes: rows, NextPageToken: next}, nil
}

// UpdateLane changes one or creates it.
func (s *Server) UpdateLane(ctx context.Context, r *masterdatav1.UpdateLaneRequest) (*masterdatav1.Lane, error) {
	return update(ctx, s, catalog.Lane, r.GetLane(), r)
}

// GetRoutingGuide returns one by name.
func (s *Server) GetRoutingGuide(ctx context.Context, r *masterdatav1.GetRoutingGuideRequest) (*masterdatav1.RoutingGuide, error) {
	return get[*masterdatav1.RoutingGuide](ctx, s, r.GetName())
}

// ListRoutingGuides pages through all by name.
func (s *Server) ListRoutingGuides(ctx context.Context, r *masterdatav1.ListRoutingGuidesRequest) (*masterdatav1.ListRoutingGuidesResponse, error) {
	rows, next, err := list[*masterdatav1.RoutingGuide](ctx, s, catalog.RoutingGuide, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListRoutingGuidesResponse{RoutingGuides: rows, NextPageToken: next}, nil
}

// UpdateRoutingGuide changes one or creates it.
func (s *Server) UpdateRoutingGuide(ctx context.Context, r *masterdatav1.UpdateRoutingGuideRequest) (*masterdatav1.RoutingGuide, error) {
	return update(ctx, s, catalog.RoutingGuide, r.GetRoutingGuide(), r)
}

// GetRateTable returns one by name.
func (s *Server) GetRateTable(ctx context.Context, r *masterdatav1.GetRateTableRequest) (*masterdatav1.RateTable, error) {
	return get[*masterdatav1.RateTable](ctx, s, r.GetName())
}

// ListRateTables pages through all by name.
func (s *Server) ListRateTables(ctx context.Context, r *masterdatav1.ListRateTablesRequest) (*masterdatav1.ListRateTablesResponse, error) {
	rows, next, err := list[*masterdatav1.RateTable](ctx, s, catalog.RateTable, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListRateTablesResponse{RateTables: rows, NextPageToken: next}, nil
}

// UpdateRateTable changes one or creates it.
func (s *Server) UpdateRateTable(ctx context.Context, r *masterdatav1.UpdateRateTableRequest) (*masterdatav1.RateTable, error) {
	return update(ctx, s, catalog.RateTable, r.GetRateTable(), r)
}

// GetFuelIndex returns one by name.
func (s *Server) GetFuelIndex(ctx context.Context, r *masterdatav1.GetFuelIndexRequest) (*masterdatav1.FuelIndex, error) {
	return get[*masterdatav1.FuelIndex](ctx, s, r.GetName())
}

// ListFuelIndexes pages through all by name.
func (s *Server) ListFuelIndexes(ctx context.Context, r *masterdatav1.ListFuelIndexesRequest) (*masterdatav1.ListFuelIndexesResponse, error) {
	rows, next, err := list[*masterdatav1.FuelIndex](ctx, s, catalog.FuelIndex, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListFuelIndexesResponse{FuelIndexes: rows, NextPageToken: next}, nil
}

// UpdateFuelIndex changes one or creates it.
func (s *Server) UpdateFuelIndex(ctx context.Context, r *masterdatav1.UpdateFuelIndexRequest) (*masterdatav1.FuelIndex, error) {
	return update(ctx, s, catalog.FuelIndex, r.GetFuelIndex(), r)
}

// GetTaxRule returns one by name.
func (s *Server) GetTaxRule(ctx context.Context, r *masterdatav1.GetTaxRuleRequest) (*masterdatav1.TaxRule, error) {
	return get[*masterdatav1.TaxRule](ctx, s, r.GetName())
}

// ListTaxRules pages through all by name.
func (s *Server) ListTaxRules(ctx context.Context, r *masterdatav1.ListTaxRulesRequest) (*masterdatav1.ListTaxRulesResponse, error) {
	rows, next, err := list[*masterdatav1.TaxRule](ctx, s, catalog.TaxRule, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListTaxRulesResponse{TaxRules: rows, NextPageToken: next}, nil
}

// UpdateTaxRule changes one or creates it.
func (s *Server) UpdateTaxRule(ctx context.Context, r *masterdatav1.UpdateTaxRuleRequest) (*masterdatav1.TaxRule, error) {
	return update(ctx, s, catalog.TaxRule, r.GetTaxRule(), r)
}

// GetContract returns one by name.
func (s *Server) GetContract(ctx context.Context, r *masterdatav1.GetContractRequest) (*masterdatav1.Contract, error) {
	return get[*masterdatav1.Contract](ctx, s, r.GetName())
}

// ListContracts pages through all by name.
func (s *Server) ListContracts(ctx context.Context, r *masterdatav1.ListContractsRequest) (*masterdatav1.ListContractsResponse, error) {
	rows, next, err := list[*masterdatav1.Contract](ctx, s, catalog.Contract, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListContractsResponse{Contracts: rows, NextPageToken: next}, nil
}

// UpdateContract changes one or creates it.
func (s *Server) UpdateContract(ctx context.Context, r *masterdatav1.UpdateContractRequest) (*masterdatav1.Contract, error) {
	return update(ctx, s, catalog.Contract, r.GetContract(), r)
}

// ApproveContract puts one into use.
func (s *Server) ApproveContract(ctx context.Context, r *masterdatav1.ApproveContractRequest) (*masterdatav1.Contract, error) {
	return approve[*masterdatav1.Contract](ctx, s, catalog.Contract, r)
}

// GetCodeMap returns one by name.
func (s *Server) GetCodeMap(ctx context.Context, r *masterdatav1.GetCodeMapRequest) (*masterdatav1.CodeMap, error) {
	return get[*masterdatav1.CodeMap](ctx, s, r.GetName())
}

// ListCodeMaps pages through all by name.
func (s *Server) ListCodeMaps(ctx context.Context, r *masterdatav1.ListCodeMapsRequest) (*masterdatav1.ListCodeMapsResponse, error) {
	rows, next, err := list[*masterdatav1.CodeMap](ctx, s, catalog.CodeMap, r)
	if err != nil {
		return nil, err
	}
	return &masterdatav1.ListCodeMapsResponse{CodeMaps: rows, NextPageToken: next}, nil
}

// UpdateCodeMap changes one or creates it.
func (s *Server) UpdateCodeMap(ctx context.Context, r *masterdatav1.UpdateCodeMapRequest) (*masterdatav1.CodeMap, error) {
	return update(ctx, s, catalog.CodeMap, r.GetCodeMap(), r)
}

// ApproveCodeMap puts one into use.
func (s *Server) ApproveCodeMap(ctx context.Context, r *masterdatav1.ApproveCodeMapRequest) (*masterdatav1.CodeMap, error) {
	return approve[*masterdatav1.CodeMap](ctx, s, catalog.CodeMap, r)
}
