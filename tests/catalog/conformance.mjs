// Runs the unmodified catalog client against a Slipway: argv = [client module folder, base URL, token]; prints JSON.
import { createRequire } from "node:module";

const [folder, base, token] = process.argv.slice(2);
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
out.text = names((await api.queryEntities({ fullTextFilter: { term: "quote", fields: ["metadata.name"] } }, options)).items);
out.streamed = 0;
for await (const batch of api.streamEntities({ filter: { kind: "user" } }, options)) out.streamed += batch.length;
const refs = ["component:default/quote-engine", "component:default/none"];
out.refs = (await api.getEntitiesByRefs({ entityRefs: refs, fields: ["kind"] }, options)).items.map((item) => item?.kind ?? null);
out.byRef = (await api.getEntityByRef("Component:quote-engine", options)).metadata.name;
out.missing = (await api.getEntityByRef("component:default/none", options)) ?? null;
out.facets = (await api.getEntityFacets({ facets: ["kind"], filter: { kind: "domain" } }, options)).facets;
out.ancestors = (await api.getEntityAncestors({ entityRef: "component:default/quote-engine" }, options)).rootEntityRef;
await api.refreshEntity("component:default/quote-engine", options);
const entity = { apiVersion: "backstage.io/v1alpha1", kind: "Component", metadata: { name: "a" }, spec: {} };
out.invalid = (await api.validateEntity(entity, "url:https://a.example/b", options)).errors.length;
out.locations = (await api.getLocations({}, options)).items.length;
const location = await api.getLocationByEntity("component:default/quote-engine", options);
out.location = (await api.getLocationById(location.id, options)).target === location.target;
out.noLocation = (await api.getLocationById("00000000-0000-4000-8000-000000000000", options)) ?? null;
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
