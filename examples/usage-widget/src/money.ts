// Amounts as integers of nano-USD: sums of binary floats are not exact.

/** Read an amount of an answer. It is exact up to a million USD, as far as JSON.parse keeps its nine decimals. */
export const nano = (usd: number): bigint => BigInt(usd.toFixed(9).replace(".", ""));

/** Write an amount as it came: all of its decimals, and two at least. */
export function dollars(amount: bigint): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(10, "0");
  const decimals = digits.slice(-9).replace(/0{1,7}$/, "");
  return `${amount < 0n ? "−" : ""}$${BigInt(digits.slice(0, -9)).toLocaleString("en")}.${decimals}`;
}
