/** The path of the native binary for this machine. */
declare const binary: string;
export = binary;
