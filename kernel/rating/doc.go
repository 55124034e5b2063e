// Package rating is for the price of freight: what a carrier's tariff asks, or what a customer's tariff charges, for one
// move.
//
// It promises exact arithmetic with one rounding per charge (half-up, to the minor unit of the tariff's currency), the
// same answer for the preview and the bill, and with every charge a tree that explains it: tariff and version, row,
// break, quantities, index date, and the alternatives that lost. Tariffs are values; a carrier's tariff and a
// customer's contract are the same type, Tariff, rated by the same function, Rate.
//
// Choosing carriers, keeping tariffs, proving accessorials, auditing freight bills and tax are left to the services.
// Class rates and density scales are licensed data of their publishers: the package holds the algorithm and the published
// density bounds, masterdata holds the tables.
package rating
