/** Where simulations are made, and each of them lies below; which parameters fill the form in: docs/extending.md. */
export const SIMULATIONS_PATH = '/console/simulations';
