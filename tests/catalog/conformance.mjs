// Runs the unmodified catalog client against a Slipway: argv = [client module folder, base URL, token, site]; prints JSON.
import { createRequire } from "node:module";

const [folder, base, token, site] = process.argv.slice(2);
const { CatalogClient } = createRequire(`${folder}/package.json`)("@backstage/catalog-client");
const api = new CatalogClient({ discoveryApi: { getBaseUrl: async () => base }, fetchApi: { fetch } });
const options = { token };
const names = (items) => items.map((item) => item.metadata.name);
const out = {};

out.list = names((await api.getEntities({ filter: { kind: "API", "spec.type": "grpc" } }, options)).items);
out.fields = (await api.getEntities({ filter: { "metadata.name": "quote-engine" }, fields: ["kind"] }, options)).items;
const first = await api.queryEntities(
  { filter: { kind: ["component", "resource"] }, orderFields: { field: "metadata.name", order: "desc" }, limit: 30 }, options);
out.total = first.totalItems;
let page = first;
const seen = names(first.items);
while (page.pageInfo.nextCursor) {
  page = await api.queryEntities({ cursor: page.pageInfo.nextCursor, limit: 30 }, options);
  seen.push(...names(page.items));
}
out.seen = seen;
out.back = names((await api.queryEntities({ cursor: page.pageInfo.prevCursor, limit: 30 }, options)).items);
out.predicate = (await api.queryEntities({ query: { kind: "component", "spec.type": { $in: ["job"] } }, limit: 2 }, options)).totalItems;
const byPredicate = [];
let more = await api.queryEntities({ query: { kind: "component", "spec.type": { $in: ["job"] } }, limit: 2 }, options);
for (;;) {
  byPredicate.push(...names(more.items));
  if (!more.pageInfo.nextCursor) break;
  more = await api.queryEntities({ cursor: more.pageInfo.nextCursor, limit: 2 }, options);
}
out.byPredicate = byPredicate;
out.counted = await api.queryEntities({ filter: { kind: "api" }, limit: 0 }, options);
out.uncounted = (await api.queryEntities({ filter: { kind: "api" }, limit: 1, totalItems: "exclude" }, options)).totalItems;
out.ordered = names((await api.getEntities(
  { filter: { kind: "domain" }, order: [{ field: "metadata.name", order: "desc" }], limit: 2, offset: 1 }, options)).items);
out.text = names((await api.queryEntities({ fullTextFilter: { term: "quote", fields: ["metadata.name"] } }, options)).items);
out.streamed = 0;
for await (const batch of api.streamEntities({ filter: { kind: "user" } }, options)) out.streamed += batch.length;
const refs = ["component:default/quote-engine", "component:default/none"];
out.refs = (await api.getEntitiesByRefs({ entityRefs: refs, fields: ["kind"] }, options)).items.map((item) => item?.kind ?? null);
out.byRef = (await api.getEntityByRef("Component:quote-engine", options)).metadata.name;
out.missing = (await api.getEntityByRef("component:default/none", options)) ?? null;
out.facets = (await api.getEntityFacets({ facets: ["kind"], filter: { kind: "domain" } }, options)).facets;
out.facetsByPredicate = (await api.getEntityFacets({ facets: ["kind"], query: { kind: { $in: ["domain", "system"] } } }, options)).facets;
out.filteredRefs = (await api.getEntitiesByRefs(
  { entityRefs: ["component:default/quote-engine", "api:default/quote-api"], filter: { kind: "api" }, fields: ["kind"] }, options)).items
  .map((item) => item?.kind ?? null);
out.ancestors = (await api.getEntityAncestors({ entityRef: "component:default/quote-engine" }, options)).rootEntityRef;
await api.refreshEntity("component:default/quote-engine", options);
const entity = { apiVersion: "backstage.io/v1alpha1", kind: "Component", metadata: { name: "a" }, spec: {} };
out.invalid = (await api.validateEntity(entity, "url:https://a.example/b", options)).errors.length;
const valid = { ...entity, spec: { type: "service", lifecycle: "production", owner: "payments" } };
out.valid = (await api.validateEntity(valid, "url:https://a.example/b", options)).valid;
out.locations = (await api.getLocations({}, options)).items.length;
const location = await api.getLocationByEntity("component:default/quote-engine", options);
out.location = (await api.getLocationById(location.id, options)).target === location.target;
out.noLocation = (await api.getLocationById("00000000-0000-4000-8000-000000000000", options)) ?? null;
const [one, two] = [`${site}/one.yaml`, `${site}/two.yaml`];
out.analyzed = (await api.analyzeLocation({ location: { type: "url", target: one } }, options)).existingEntityFiles
  .map((file) => [file.isRegistered, file.entity.metadata.name]);
const dry = await api.addLocation({ type: "url", target: one, dryRun: true }, options);
out.dry = [dry.exists, names(dry.entities)];
const added = await api.addLocation({ type: "url", target: one }, options);
out.added = [added.location.target === one, names(added.entities)];
out.byRefLocation = (await api.getLocationByRef(`url:${one}`, options)).id === added.location.id;
out.queried = (await api.queryLocations({ query: { target: one } }, options)).items.length;
out.streamedLocations = 0;
for await (const batch of api.streamLocations({ query: { type: "url" } }, options)) out.streamedLocations += batch.length;
const moved = await api.updateLocation(added.location.id, { type: "url", target: two }, options);
out.moved = [moved.id === added.location.id, moved.target === two];
out.afterMove = [
  (await api.getEntityByRef("component:default/one", options)) ?? null,
  (await api.getEntityByRef("component:default/two", options)).metadata.name];
try {
  await api.addLocation({ type: "url", target: two }, options);
} catch (error) {
  out.conflict = error.cause?.name;
}
await api.removeLocationById(added.location.id, options);
out.removed = (await api.getLocationById(added.location.id, options)) ?? null;
const written = await api.getEntityByRef("component:default/written-here", options);
await api.removeEntityByUid(written.metadata.uid, options);
out.removedEntity = (await api.getEntityByRef("component:default/written-here", options)) ?? null;
try {
  await api.addLocation({ type: "url", target: "https://10.0.0.1/a.yaml" }, options);
} catch (error) {
  out.refused = [error.name, error.cause?.name, error.cause?.message];
}
try {
  await api.getEntities({ filter: { kind: "api" } }, { token: "wrong" });
} catch (error) {
  out.stranger = error.cause?.name;
}
console.log(JSON.stringify(out));
