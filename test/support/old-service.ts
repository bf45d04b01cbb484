// The service whose users are imported: its database with the one table `auth`, filled with as many rows as are wanted.
// Somebody of each algorithm has a password that the test knows; the hashes were made by passlib
// (test/crypto/foreign-hashes.test.ts).
import pg from "pg";

export const password = "correct horse";

export interface OldUser {
  id: number;
  login: string;
  hash: string;
}

const made: Record<string, string> = {
  argon2id: "$argon2id$v=19$m=256,t=2,p=1$nlNqrXXuvRfCuJcy5hxjLA$BYQxeu7FwTuend2mWS8t+X/5ojNd212jB+y1NS9So2o",
  argon2i: "$argon2i$v=19$m=256,t=2,p=1$6Z2zdk7J+d87xxhDCOE8xw$y/PUlU2J9h+s+406qmDL74UXKqynKvnBbziylUt94zQ",
  bcrypt: "$2b$04$uSmRrGyk/oXsaULeM73tEeUa3k2b2mmVp.kIcddbTVFtk6fztcGRi",
  gobcrypt: "$2a$04$Ex4SzXhtNShWYApbzp2yEuj/8omb.Qlf5ByimfCnrYpp.eo9OMajm",
  scrypt: "$scrypt$ln=10,r=8,p=1$d875v9c65zwH4JwTAkAIAQ$6JSN8gH/7FpCUMhmNAx+lTcUa0NgHG8VRwtjGLQX49w",
  pbkdf2: "$pbkdf2-sha256$1000$ylkrZSylVErJGWOsFUKIMQ$qqvxtjmCshW2ZdbNQCptlkvv3Sj9FAXbA9b4Zz8Aoak",
  pbkdf2sha512:
    "$pbkdf2-sha512$1000$KQXgXEtpjZFyTglBSCmFkA$gu247RWephA1XjhRYlr.UEVCe8O0Cy4EYvSyFhm7UskLkQxH9JNmlCnTF9GQou6jCWADn3RbBM52eBU4oPD0lQ",
  django: "pbkdf2_sha256$1000$saltsaltsaltsalt$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM=",
};

/** One of each algorithm, spread over the rows. */
export function oldUsers(rows: number): OldUser[] {
  const step = Math.floor(rows / Object.keys(made).length);
  return Object.entries(made).map(([name, hash], index) => ({ id: 1 + step * index, login: `some-${name}`, hash }));
}

/** What a row of a hundred is: banned; of ten: not confirmed; of a thousand: an admin. */
const kinds = { banned: 100, unconfirmed: 10, admins: 1000 } as const;

export interface OldService {
  url: string;
  sql: pg.Client;
  close(): Promise<void>;
}

/** @param beside a database of the server on which it gets its own */
export async function startOldService(beside: string, rows: number): Promise<OldService> {
  const url = await makeDatabase(beside);
  const sql = new pg.Client({ connectionString: url });
  await sql.connect();
  await sql.query(`
    CREATE TABLE auth (
      id serial PRIMARY KEY, login varchar(32) NOT NULL, username varchar(32), email varchar(255), hashed_password varchar(255),
      is_active boolean DEFAULT true, is_verified boolean DEFAULT false, role varchar(16) DEFAULT 'user', created_at timestamp DEFAULT now())`);
  await sql.query(
    `INSERT INTO auth (login, username, email, hashed_password, is_active, is_verified, role, created_at)
     SELECT 'user' || i, 'User ' || i, 'user' || i || '@example.org', CASE i % 2 WHEN 0 THEN $1 ELSE $2 END,
       i % ${kinds.banned} <> 0, i % ${kinds.unconfirmed} <> 0, CASE WHEN i % ${kinds.admins} = 0 THEN 'admin' ELSE 'user' END,
       timestamp '2020-01-01' + i * interval '1 second'
     FROM generate_series(1, $3::int) AS i`,
    [made["gobcrypt"], made["argon2id"], rows],
  );
  for (const { id, login, hash } of oldUsers(rows))
    await sql.query(
      "UPDATE auth SET login = $2::text, email = $2::text || '@example.org', hashed_password = $3 WHERE id = $1",
      [id, login, hash],
    );
  return { url, sql, close: () => sql.end() };
}

async function makeDatabase(beside: string): Promise<string> {
  const own = new URL(beside);
  own.pathname = `${own.pathname}_old`;
  const client = new pg.Client({ connectionString: beside });
  await client.connect();
  await client.query(`CREATE DATABASE "${own.pathname.slice(1)}"`);
  await client.end();
  return own.href;
}
