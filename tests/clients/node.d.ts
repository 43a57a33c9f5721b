// What these programs use of Node.js beside what browsers have.
declare const process: { argv: string[]; env: Record<string, string | undefined> };
