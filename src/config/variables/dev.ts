// npm start: where the system on one machine has its data and ports.
import { settledText, whole } from "../kinds.ts";

export const devVariables = {
  AUTH_DEV_DIR: settledText("Data folder of `npm start`.", ".data"),
  AUTH_DEV_WORKERS: whole("Workers that `npm start` runs.", { min: 1, max: 16, default: "2" }),
  AUTH_DEV_KAFKA_PORT: whole("Port of the embedded Kafka.", { min: 1, max: 65_535, default: "9092" }),
  AUTH_DEV_REGISTRY_PORT: whole("Port of the embedded registry.", { min: 1, max: 65_535, default: "8081" }),
  AUTH_DEV_POSTGRES_PORT: whole("Port of the embedded PostgreSQL.", { min: 1, max: 65_535, default: "5433" }),
  AUTH_DEV_GRPC_PORT: whole("Port of the bridge that `npm start` runs.", { min: 1, max: 65_535, default: "50051" }),
};
