// A mechanism of src that can be switched off (faults.ts): the line that is replaced as its module is loaded.
export interface Fault {
  /** Below src. */
  module: string;
  line: string;
  instead: string;
}
